"""The folder of a trained model: config.json, checkpoints/, baselines.json, history.csv.

`config.json` says which noise model it is and what it was trained on; `checkpoints/best` (by
validation NLL), `checkpoints/best_kl` (by validation KL) and `checkpoints/last` hold TensorFlow
checkpoints of it; `baselines.json` holds the Gaussian and the
recalibrated NLF fitted on the training captures; `history.csv` holds the course of the training.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tfp_noiseflow.atomic_write import write_json
from tfp_noiseflow.models.camera_nlf import CameraNLF
from tfp_noiseflow.models.gaussian_noise import GaussianNoise
from tfp_noiseflow.models.noise_flow import NoiseFlow
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.shipped_models import model_directory
from tfp_noiseflow.version import __version__

FORMAT_VERSION = 1

# Of an error, in letters.
LONGEST_TEXT = 1000

HISTORY = "history.csv"
BASELINES = "baselines.json"

# The folder of checkpoints is the first, unless config.json names the second, see `save_model`.
CHECKPOINTS = ("checkpoints", "checkpoints-2")

# Class name -> class, of the models that are saved and loaded.
MODELS: dict[str, type[NoiseModel]] = {}


def register_noise_model(model: type[NoiseModel]) -> type[NoiseModel]:
    """Makes a class of noise models one that is saved and loaded; a decorator.

    ```python
    @nf.register_noise_model
    class MyNoise(nf.NoiseModel):
        ...
    ```

    Its module has to be imported before a model of it is loaded.

    Raises:
      ValueError: another class of its name is registered.
    """
    other = MODELS.setdefault(model.__name__, model)
    # A module that is imported again, as notebooks do, defines the same class anew.
    if (other.__module__, other.__qualname__) != (model.__module__, model.__qualname__):
        raise ValueError(
            f"expected a class of another name, {model.__name__} is registered as {other}."
        )
    MODELS[model.__name__] = model
    return model


for _model in (NoiseFlow, GaussianNoise, CameraNLF):
    register_noise_model(_model)


def describe_model(model: NoiseModel) -> dict:
    """A model as JSON values: its class and `get_config()`.

    Raises:
      ValueError: its class is not registered, or its configuration is no JSON.
    """
    name = type(model).__name__
    if MODELS.get(name) is not type(model):
        raise ValueError(
            f"expected one of the models {list(MODELS)}, or a class that nf.register_noise_model "
            f"was called with, received {name}."
        )
    config = model.get_config()
    try:
        # As it will be read: a tuple comes back as a list.
        config = json.loads(json.dumps(config))
    except TypeError as error:
        raise ValueError(
            f"expected {name}.get_config() of JSON values, received {config}: {error}"
        ) from error
    return {"model": name, **config}


def model_digest(model: NoiseModel) -> str:
    """16 hexadecimal digits that another model, or one of other variables, does not have."""
    content = hashlib.sha256(json.dumps(describe_model(model), sort_keys=True).encode())
    for variable in model.variables:
        content.update(variable.numpy().tobytes())
    return content.hexdigest()[:16]


def model_from_description(description: Mapping) -> NoiseModel:
    """The model that `describe_model` described, its variables at their initial values.

    Raises:
      ValueError: a model of an unknown class.
    """
    config = dict(description)
    name = config.pop("model", None)
    if name not in MODELS:
        raise ValueError(
            f"expected one of the models {list(MODELS)}, received {name!r}. A model of another "
            "library loads once the module that registers its class is imported."
        )
    return MODELS[name].from_config(config)


def write_config(
    model_dir: str | os.PathLike,
    model: NoiseModel,
    training_data: dict,
    *,
    checkpoints: str = CHECKPOINTS[0],
) -> None:
    """Writes config.json.

    Args:
      model_dir: the folder, made where it is missing.
      model: whose variables the checkpoints will hold.
      training_data: JSON values about what it was trained on: file, origin, licence, iso_range
        (the lowest and the highest ISO).
      checkpoints: the folder in it that holds the checkpoints.
    """
    write_json(
        os.path.join(model_dir, "config.json"),
        {
            "format_version": FORMAT_VERSION,
            "library_version": __version__,
            **describe_model(model),
            "training_data": training_data,
            **({} if checkpoints == CHECKPOINTS[0] else {"checkpoints": checkpoints}),
        },
    )


def read_config(model_dir: str | os.PathLike) -> dict:
    """config.json as a dict.

    Raises:
      FileNotFoundError: model_dir holds no config.json.
      ValueError: it is no JSON, or of a newer format.
    """
    path = os.path.join(model_directory(model_dir), "config.json")
    config = _read_json(path)
    version = config.get("format_version") if isinstance(config, dict) else None
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ValueError(
            f"{path}: expected format_version {FORMAT_VERSION} or lower, received {version}."
        )
    return config


def model_from_config(model_dir: str | os.PathLike) -> NoiseModel:
    """The model of config.json, its variables at their initial values."""
    config = read_config(model_dir)
    about = ("format_version", "library_version", "training_data", "checkpoints")
    with _file_named(os.path.join(model_directory(model_dir), "config.json"), "a noise model"):
        return model_from_description({k: v for k, v in config.items() if k not in about})


def untrained_model(architecture: str, *, seed: int | None = None, **options: Any) -> NoiseModel:
    """A flow with its variables at their start.

    Args:
      architecture: as for `NoiseFlow`; or a model directory, which stands for all that its flow
        was made of (whether it holds a checkpoint does not matter) and for how that is stored.
      seed: of the initial weights.
      **options: the other arguments of `NoiseFlow`; a model directory has its own.

    Raises:
      FileNotFoundError, ValueError: as `NoiseFlow` and `read_config`; a model of another class.
    """
    if not os.path.isdir(architecture):
        return NoiseFlow(architecture, seed=seed, **options)
    model = model_from_config(architecture)
    flow = model.unstored
    if not isinstance(flow, NoiseFlow):
        raise ValueError(f"{architecture}: expected a NoiseFlow, received {type(flow).__name__}.")
    return model.storing(NoiseFlow(**flow.get_config(), seed=seed))


def checkpoint_folder(model_dir: str | os.PathLike) -> str:
    """The name of the folder of checkpoints in a model directory."""
    path = os.path.join(model_dir, "config.json")
    name = read_config(model_dir).get("checkpoints") if os.path.exists(path) else None
    if name not in (None, *CHECKPOINTS):
        raise ValueError(f"{path}: expected checkpoints in {list(CHECKPOINTS)}, received {name!r}.")
    return name or CHECKPOINTS[0]


def checkpoint_manager(
    model_dir: str | os.PathLike, kind: str, checkpoint: tf.train.Checkpoint
) -> tf.train.CheckpointManager:
    """Where checkpoints are written: the newest is complete before an older one goes.

    Args:
      model_dir: the folder.
      kind: "best" (by validation NLL), "best_kl" (by validation KL) or "last" (to resume from).
      checkpoint: what is saved.
    """
    directory = os.path.join(model_dir, checkpoint_folder(model_dir), kind)
    return tf.train.CheckpointManager(checkpoint, directory, max_to_keep=1)


def save_model(model: NoiseModel, model_dir: str | os.PathLike, training_data: dict) -> None:
    """Writes a model directory for a model that was not trained here.

    Where the folder holds a model, that one is replaced, with the course of its training; of its
    baselines those of the same training data stay. Whenever the process is killed, the folder
    loads as the one or the other.

    Args:
      model: any noise model.
      model_dir: the folder.
      training_data: as for `write_config`.

    Raises:
      ValueError: the config.json that is there is damaged or of a newer format.
    """
    description = describe_model(model)
    is_there = os.path.exists(os.path.join(model_dir, "config.json"))
    found = read_config(model_dir) if is_there else {"training_data": training_data}
    folder = checkpoint_folder(model_dir)
    if is_there and any(found.get(name) != value for name, value in description.items()):
        # No checkpoint of one model goes with the config of another: config.json, which is replaced
        # at once, says which folder counts.
        folder = CHECKPOINTS[1 - CHECKPOINTS.index(folder)]
        _remove(os.path.join(model_dir, folder))
    directory = os.path.join(model_dir, folder, "best")
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(noise_model=model), directory, max_to_keep=1
    )
    # Before the model is there, so that nothing of another one is ever taken for its own.
    for name in ("last", "best_kl"):
        _remove(os.path.join(model_dir, folder, name))
    for name in (HISTORY, "logs", *[BASELINES] * (found.get("training_data") != training_data)):
        _remove(os.path.join(model_dir, name))
    # Beside the one that may be there, which goes when the new one is whole.
    before = re.search(r"-(\d+)$", manager.latest_checkpoint or "-0")
    assert before is not None  # TensorFlow ends a checkpoint's name in its number.
    manager.save(checkpoint_number=1 + int(before[1]))
    write_config(model_dir, model, training_data, checkpoints=folder)
    _remove(os.path.join(model_dir, CHECKPOINTS[1 - CHECKPOINTS.index(folder)]))


def _remove(path: str) -> None:
    """Removes a file or folder that may be there."""
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)


def load_model(model_dir: str | os.PathLike, *, kind: str = "best") -> NoiseModel:
    """The noise model of a model directory, ready to sample or to train on.

    Args:
      model_dir: the folder that `train.noise_flow` wrote, or "phones", the recommended model of
        five phones that comes with the library, see `shipped_models`.
      kind: "best" by validation NLL, "best_kl" by validation KL, or "last".

    Returns:
      A noise model, with the licence, the origin and the range of ISOs of its training data.

    Raises:
      FileNotFoundError: no config.json or no such checkpoint.
      ValueError: a config that is not understood, or a checkpoint of another model.
    """
    model_dir = model_directory(model_dir)
    model = model_from_config(model_dir)
    directory = os.path.join(model_dir, checkpoint_folder(model_dir), kind)
    path = latest_checkpoint(directory)
    if path is None:
        raise FileNotFoundError(f"{directory}: expected a checkpoint, there is none.")
    restore_checkpoint(tf.train.Checkpoint(noise_model=model), path)
    with _file_named(os.path.join(model_dir, "config.json"), "training data"):
        training_data = read_config(model_dir).get("training_data") or {}
        model.licence, model.origin = training_data.get("licence"), training_data.get("origin")
        if training_data.get("iso_range") is not None:
            lowest, highest = (float(iso) for iso in training_data["iso_range"])
            model.trained_iso_range = (lowest, highest)
    return model


def latest_checkpoint(directory: str) -> str | None:
    """The newest checkpoint in a folder; None where there is none.

    Raises:
      ValueError: the folder's file `checkpoint`, which says which is the newest, is damaged or
        names one elsewhere.
    """
    try:
        path = tf.train.latest_checkpoint(directory)
    # It is a text of a protocol buffer.
    except (ValueError, tf.errors.OpError) as error:
        raise ValueError(f"{directory}: expected a whole file `checkpoint` ({error}).") from error
    if path is not None and os.path.dirname(os.path.abspath(path)) != os.path.abspath(directory):
        raise ValueError(f"{directory}: expected a checkpoint in this folder, received {path!r}.")
    return path


def load_named_models(texts: Sequence[str]) -> dict[str, NoiseModel]:
    """The models of texts NAME=MODEL_DIR, as commands take them, by name.

    Raises:
      ValueError: a text of another form, or a name twice; as `load_model`.
    """
    models: dict[str, NoiseModel] = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not name or not path or name in models:
            raise ValueError(f"expected NAME=MODEL_DIR, each of another NAME, received {text!r}.")
        models[name] = load_model(path)
    return models


def restore_checkpoint(checkpoint: tf.train.Checkpoint, path: str) -> None:
    """Restores all that a checkpoint tracks.

    Raises:
      ValueError: the files are damaged, or of another model (or optimizer).
    """
    try:
        checkpoint.restore(path).assert_existing_objects_matched().expect_partial()
    # IndexError is what TensorFlow's reader makes of a file that ends too early.
    except (AssertionError, IndexError, ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"{path}: expected a whole checkpoint of the model that config.json describes: {error}"
        ) from error


def write_baselines(model_dir: str | os.PathLike, baselines: Mapping[str, NoiseModel]) -> None:
    """Writes baselines.json: models fitted on the training captures, by name."""
    write_json(
        os.path.join(model_dir, BASELINES),
        {name: describe_model(model) for name, model in baselines.items()},
    )


def load_baselines(model_dir: str | os.PathLike) -> dict[str, NoiseModel]:
    """The models of baselines.json by name; empty where there is none."""
    path = os.path.join(model_directory(model_dir), BASELINES)
    if not os.path.exists(path):
        return {}
    with _file_named(path, "noise models by name"):
        return {name: model_from_description(entry) for name, entry in _read_json(path).items()}


def read_history(model_dir: str | os.PathLike) -> list[dict[str, float]]:
    """The rows of history.csv, numbers by column; empty where there is none."""
    path = os.path.join(model_directory(model_dir), HISTORY)
    if not os.path.exists(path):
        return []
    with (
        _file_named(path, "numbers by column"),
        open(path, newline="", encoding="utf-8") as file,
    ):
        return [
            {name: float(value) for name, value in row.items() if value}
            for row in csv.DictReader(file)
        ]


def _read_json(path: str) -> Any:
    if not os.path.exists(path):
        raise FileNotFoundError(f"{path}: no such file; expected a model directory.")
    with open(path, encoding="utf-8") as file:
        try:
            return json.load(file)
        # Nested too deeply; not text; not JSON.
        except (RecursionError, ValueError) as error:
            raise ValueError(f"{path}: expected JSON, received {error}.") from error


@contextlib.contextmanager
def _file_named(path: str, expected: str) -> Iterator[None]:
    """Turns what an odd content of a file makes of it into a ValueError that names the file."""
    try:
        yield
    except OSError:
        raise
    # What it is depends on which number or text is another.
    except Exception as error:
        if str(error).startswith(path):
            raise
        # What is repeated of the file may be long.
        said = textwrap.shorten(str(error) or repr(error), LONGEST_TEXT, placeholder=" ...")
        raise ValueError(f"{path}: expected {expected}: {said}") from error
