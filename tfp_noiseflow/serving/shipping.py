"""A trained model as this repository ships one: served, to load in Python, and with its card."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence

import numpy as np

from tfp_noiseflow.atomic_write import write_text
from tfp_noiseflow.models.model_directory import (
    HISTORY,
    checkpoint_folder,
    load_model,
    read_config,
)
from tfp_noiseflow.models.noise_model import NoiseModel
from tfp_noiseflow.reporting.markdown import models_table
from tfp_noiseflow.serving.export import export_saved_model

# The report's name of the model, and of the baseline that its card compares it with by camera and
# ISO: the best that needs no flow.
MODEL, BASELINE = "noise_flow", "recalibrated_nlf"


def ship_model(
    model_dir: str | os.PathLike,
    report_dir: str | os.PathLike,
    output_dir: str | os.PathLike,
    *,
    name: str = "noise_flow",
    licence: str | None = None,
    made_by: str | None = None,
) -> list[str]:
    """Writes what a repository ships of a trained model.

    `NAME/1/` is its export, `NAME_model/` the model directory without what only resuming its
    training needs, `NAME.md` its card. What stood there goes when all three are in place.

    The version is 1 each time: a repository holds one model under one path, and its history the
    ones before. A model server does not load a number again that it has: it is started anew, or
    watches a folder of `export_saved_model`'s, where every export has a number of its own.

    Args:
      model_dir: what `train.noise_flow` wrote.
      report_dir: what `train.evaluate` wrote of it.
      output_dir: the folder of shipped models.
      name: of the model.
      licence: of the model itself, for the card; that of the training data is in config.json.
      made_by: for the card, how to make it again (Markdown).

    Returns:
      The three paths.

    Raises:
      FileNotFoundError: no model or no report there.
      OSError: it cannot be written; then what stood there is there as before.
    """
    config = read_config(model_dir)
    with open(os.path.join(report_dir, "report.json"), encoding="utf-8") as file:
        report = json.load(file)
    model = load_model(model_dir)
    card = model_card(name, model, config, report, licence=licence, made_by=made_by)
    os.makedirs(output_dir, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output_dir) as beside:
        export_saved_model(
            model,
            os.path.join(beside, name),
            training_data=config["training_data"],
        )
        kept = os.path.join(beside, f"{name}_model")
        best = os.path.join(checkpoint_folder(model_dir), "best")
        shutil.copytree(os.path.join(model_dir, best), os.path.join(kept, best))
        for file_name in ("config.json", "baselines.json", HISTORY):
            shutil.copy(os.path.join(model_dir, file_name), kept)
        write_text(os.path.join(beside, f"{name}.md"), card)
        names = (name, f"{name}_model", f"{name}.md")
        _move(names, beside, os.fspath(output_dir))
    return [os.path.join(output_dir, each) for each in names]


def _move(names: Sequence[str], beside: str, output_dir: str) -> None:
    """Moves files and folders from `beside` to `output_dir`, all of them or none.

    Folders cannot be replaced: what stood there is moved away, and is removed with `beside`.
    """
    with contextlib.ExitStack() as undo:
        for name in names:
            new, path = os.path.join(beside, name), os.path.join(output_dir, name)
            if os.path.exists(path):
                before = os.path.join(beside, f"before_{name}")
                os.replace(path, before)
                undo.callback(os.replace, before, path)
            os.replace(new, path)
            undo.callback(os.replace, path, new)
        undo.pop_all()


def model_card(
    name: str,
    model: NoiseModel,
    config: dict,
    report: dict,
    *,
    licence: str | None = None,
    made_by: str | None = None,
) -> str:
    """A model's card: what it is, its data, figures and limits.

    Args:
      name: of the model.
      model: itself. config: of its model directory.
      report: of its evaluation (`report.json`).
      licence, made_by: as for `ship_model`.

    Returns:
      Markdown.
    """
    data, captures = config["training_data"], report["captures"]
    sections = [
        f"# {name}",
        f"{_made_of(model)}, "
        f"{report['models'][MODEL]['parameters']} parameters, for images of "
        f"{model.channels or 'any number of'} channels (4: packed Bayer, R, Gr, Gb, B, as "
        "fractions of full scale with the black level subtracted).",
        f"- `{name}/1/`: the SavedModel, for TF Serving, C++ and `tf.saved_model.load`\n"
        f'- `{name}_model/`: the model directory: `nf.load_model("saved_models/{name}_model")`, '
        "to sample from or to fine-tune\n"
        f"- Cameras: {', '.join(model.cameras or ['any'])}\n- ISO: {_isos(model)}",
        "## Data",
        f"{data.get('captures', '')} captures. {_one_line(data.get('description'))}\n\n"
        f"Origin: {_one_line(data.get('origin'))}\n\nLicence: {_one_line(data.get('licence'))}\n\n"
        f"The model: {licence or 'not stated'}. The library that it needs: Apache-2.0.",
        "## Figures",
        f"On {captures['patches']} other captures ({_one_line(captures.get('description'))}) NLL "
        "is in nats per dimension, lower is better; `kl` and `kl_paper` compare histograms of real "
        "and sampled noise.",
        models_table(report),
        _strengths(report),
        "## Limits",
        _limits(model, report),
    ]
    if made_by:
        sections += ["## How it was made", made_by]
    return "\n\n".join(sections) + "\n"


def _strengths(report: dict) -> str:
    """Where the model is ahead of the recalibrated NLF and where it is behind."""
    nll: dict[tuple[str, float], dict[str, float]] = {}
    for row in report["by_camera_iso"]:
        nll.setdefault((row["camera"], row["iso"]), {})[row["model"]] = row["nll"]
    ahead = {
        key: models[BASELINE] - models[MODEL]
        for key, models in nll.items()
        if BASELINE in models and MODEL in models
    }
    if not ahead:
        return "No recalibrated NLF was measured beside it."
    order = sorted(ahead, key=lambda key: ahead[key], reverse=True)

    def listed(keys: Iterable[tuple[str, float]]) -> str:
        return ", ".join(
            f"{camera} at ISO {iso:g} ({ahead[camera, iso]:+.3f})" for camera, iso in keys
        )

    return (
        "By camera and ISO, NLL of the recalibrated NLF (two free numbers for each pair) minus "
        f"the model's: best {listed(order[:3])}; worst {listed(order[:-4:-1])}; mean "
        f"{np.mean(list(ahead.values())):+.4f}."
    )


def _made_of(model: NoiseModel) -> str:
    """Its class and architecture, and how its noise is stored."""
    flow = model.unstored
    text = f"{type(flow).__name__} `{getattr(flow, 'architecture', '')}`"
    return text if model.dequantises else f"{text}, stored as codes (`StoredNoise`)"


def _isos(model: NoiseModel) -> str:
    """The ISOs that a model knows, and where it saw some where it knows any."""
    if model.known.iso.known:
        return model.known.iso.known
    trained = model.trained_iso_range
    return f"any; trained on ISO {trained[0]:g} to {trained[1]:g}" if trained else "any"


def _limits(model: NoiseModel, report: dict) -> str:
    real, sampled = (report["correlations"][source] for source in ("real", MODEL))
    lines = [
        "It knows the listed cameras and ISOs alone; others are an error.",
        *[
            "At ISOs outside of those that it was trained on its noise is what its law says there: "
            "no captures were compared with it."
        ]
        * (model.known.iso.is_needed and not model.known.iso.known),
        "Its cameras stand for what the captures above say, not for units that were measured.",
        "Noise is temporal: no fixed pattern, no dark shading, no defective pixels. "
        + (
            "It is not quantised and `noise` not clipped; `noisy` is clipped to [0, 1]."
            if model.dequantises
            else "`noisy` is on the codes that a sensor stores, and ends where they end."
        ),
        "Correlation of horizontal neighbours in its samples: "
        f"{sampled['horizontal']:.4f} where the captures have {real['horizontal']:.4f}; excess "
        f"kurtosis at a clean level: {sampled['excess_kurtosis_given_clean']:.2f} where they have "
        f"{real['excess_kurtosis_given_clean']:.2f}.",
        "At levels above a tenth of full scale a channel's noise has a mean of up to "
        f"{_deviations(sampled)} (another for each channel: a colour cast) where the captures "
        f"have up to {_deviations(real)}.",
        "It is for simulation, augmentation and likelihoods of raw noise; likelihoods say nothing "
        "of a photograph's origin.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _deviations(correlations: dict) -> str:
    mean = correlations["largest_bright_mean"]
    return "(not measured)" if mean is None else f"{abs(mean):.3f} of its standard deviation"


def _one_line(text: str | None) -> str:
    return " ".join((text or "not stated.").split())
