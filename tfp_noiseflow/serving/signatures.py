"""What a served noise model takes and gives: signatures of plain tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_noiseflow.models.noise_model import NoiseModel, sample_noise
from tfp_noiseflow.serving.row_checks import (
    RowCheck,
    are_valid,
    checks_of_inputs,
    number_check,
    once_required,
    require_rows,
)
from tfp_noiseflow.types import TensorLike
from tfp_noiseflow.version import __version__

SIGNATURES = ("serving_default", "sample_noise", "log_prob", "describe")

# What `describe` gives where nothing was said of the training data.
NOT_STATED = "not stated"


class ServedNoiseModel(tf.Module):
    """A noise model behind signatures whose inputs and outputs are batched on dimension 0.

    - `serving_default`, which adds noise: clean [B, H, W, C], iso [B], camera [B] string, seed
      [B, 2] int32, temperature [B] -> noisy [B, H, W, C], clipped to [0, 1], and noise.
    - `sample_noise`: the same inputs -> noise [B, H, W, C], not clipped.
    - `log_prob`: noise, clean [B, H, W, C], iso [B], camera [B] -> log_prob [B] in nats and
      nll_per_dim [B] in nats per dimension. Not of a model without a density.
    - `describe`: dummy [B] -> cameras [B, M] and iso_levels [B, K] that are known (no columns
      where the model takes any), trained_iso_range [B, 2], the lowest and the highest ISO that it
      was trained on (no columns where that is not known), quantization_step [B, 1], or [B, M] of
      each camera, of the codes that noisy values are on (no columns where they are continuous),
      clips [B, 2], whether they end at 0 and at 1, architecture, version (of this library), licence
      and origin of the training data [B].

    Floating tensors are float32 whatever the model's dtype; H and W are free. A row's result
    depends on its own row alone, to rounding: kernels may sum in another order in a batch of
    another size. A wrong shape or value is an INVALID_ARGUMENT; for a wrong value it names the
    row, the value and what is known. It fails the whole batch, rows that a server merged into it
    included.

    Args:
      noise_model: any noise model. One that does not tell cameras apart ignores `camera`.
      channels: C.
      training_data: what `config.json` says of the training data.
      has_valid_output: the first three signatures have one more output, `valid` [B], and do not
        fail where a value is wrong: the row's `valid` is false and its other outputs are 0.

    Raises:
      ValueError: the model knows no camera at any ISO.
    """

    def __init__(
        self,
        noise_model: NoiseModel,
        channels: int,
        training_data: Mapping[str, Any] | None = None,
        has_valid_output: bool = False,
    ):
        super().__init__(name="served_noise_model")
        self.noise_model = noise_model
        self.has_valid_output = has_valid_output
        self._training_data = dict(training_data or {})
        camera, iso = noise_model.known.pairs()[0]
        # What the model is given instead of a row that is not valid.
        self._harmless = {
            **dict.fromkeys(("clean", "noise", "temperature", "seed"), 0),
            "camera": camera or "",
            "iso": iso or 1,
        }
        self._row_shapes: dict[str, list[int | None]] = {
            "clean": [None, None, channels],
            "noise": [None, None, channels],
            "iso": [],
            "camera": [],
            "seed": [2],
            "temperature": [],
            "dummy": [],
        }

        def function(*names: str) -> Callable:
            dtypes = {"camera": tf.string, "seed": tf.int32}
            specs = [
                tf.TensorSpec([None, *self._row_shapes[name]], dtypes.get(name, tf.float32), name)
                for name in names
            ]
            return tf.function(input_signature=specs, autograph=False)

        @function("clean", "iso", "camera", "seed", "temperature")
        def sample(
            clean: tf.Tensor,
            iso: tf.Tensor,
            camera: tf.Tensor,
            seed: tf.Tensor,
            temperature: tf.Tensor,
        ) -> dict[str, tf.Tensor]:
            return self._sample_noise(
                clean=clean, iso=iso, camera=camera, seed=seed, temperature=temperature
            )

        @function("clean", "iso", "camera", "seed", "temperature")
        def add_noise(
            clean: tf.Tensor,
            iso: tf.Tensor,
            camera: tf.Tensor,
            seed: tf.Tensor,
            temperature: tf.Tensor,
        ) -> dict[str, tf.Tensor]:
            # A call, so that the graph of `sample_noise` is in the export once.
            outputs = sample(clean, iso, camera, seed, temperature)
            noisy = {"noisy": tf.clip_by_value(clean + outputs["noise"], 0.0, 1.0)}
            if has_valid_output:
                noisy = _where_valid(outputs["valid"], noisy, {"noisy": 0.0})
            return {**noisy, **outputs}

        @function("noise", "clean", "iso", "camera")
        def log_prob(
            noise: tf.Tensor, clean: tf.Tensor, iso: tf.Tensor, camera: tf.Tensor
        ) -> dict[str, tf.Tensor]:
            return self._log_prob(noise=noise, clean=clean, iso=iso, camera=camera)

        @function("dummy")
        def describe(dummy: tf.Tensor) -> dict[str, tf.Tensor]:
            return self._describe(dummy=dummy)

        self.serving_default = add_noise
        self.sample_noise = sample
        if noise_model.has_density:
            self.log_prob = log_prob
        self.describe = describe

    @property
    def signatures(self) -> dict:
        """Signature name -> function, as `tf.saved_model.save` takes them."""
        names = [n for n in SIGNATURES if n != "log_prob" or self.noise_model.has_density]
        return {name: getattr(self, name) for name in names}

    def _sample_noise(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        given, is_valid = self._required(self._of_fitting_shapes(inputs))
        temperature = given["temperature"]
        noise = sample_noise(
            self.noise_model,
            given["clean"],
            given["iso"],
            given["camera"],
            seeds=given["seed"],
            temperature=temperature,
        )
        noise = tf.cast(noise, tf.float32)
        is_finite = tf.reduce_all(tf.math.is_finite(noise), axis=[1, 2, 3])
        check = number_check("a temperature at which the noise is finite", is_finite, temperature)
        return self._finished({"noise": noise}, check, is_valid)

    def _log_prob(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        given, is_valid = self._required(self._of_fitting_shapes(inputs))
        noise = given["noise"]
        model = self.noise_model
        distribution = model(given["clean"], iso=given["iso"], camera=given["camera"])
        value = distribution.log_prob(noise)
        dimensions = tf.cast(tf.reduce_prod(tf.shape(noise)[1:]), model.dtype)
        outputs = {"log_prob": value, "nll_per_dim": -value / dimensions}
        outputs = {name: tf.cast(output, tf.float32) for name, output in outputs.items()}
        check = number_check(
            "noise whose log_prob is finite (its largest pixel is shown)",
            tf.math.is_finite(outputs["log_prob"]),
            tf.reduce_max(tf.abs(noise), axis=[1, 2, 3]),
        )
        return self._finished(outputs, check, is_valid)

    def _describe(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = tf.shape(self._of_fitting_shapes(inputs)["dummy"])[:1]
        model = self.noise_model
        step = model.quantization_step
        told = {
            "cameras": tf.constant(model.cameras or [], tf.string),
            "iso_levels": tf.constant(model.iso_levels or [], tf.float32),
            "trained_iso_range": tf.constant(model.trained_iso_range or [], tf.float32),
            "quantization_step": tf.constant(
                [] if step is None else np.atleast_1d(step), tf.float32
            ),
            "clips": tf.constant([model.clips_black, model.clips_white]),
            "architecture": tf.constant(getattr(model, "architecture", type(model).__name__)),
            "version": tf.constant(__version__),
            "licence": tf.constant(self._training_data.get("licence") or NOT_STATED),
            "origin": tf.constant(self._training_data.get("origin") or NOT_STATED),
        }
        return {
            name: tf.broadcast_to(value, tf.concat([rows, tf.shape(value)], axis=0))
            for name, value in told.items()
        }

    def _of_fitting_shapes(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The inputs in the model's dtype; the graph raises where their shapes do not fit."""
        # A session does not compare what it is fed with the declared shapes.
        given = {
            name: tf.ensure_shape(value, [None, *self._row_shapes[name]])
            for name, value in inputs.items()
        }
        rows = tf.stack([tf.shape(value)[0] for value in given.values()])
        given = once_required(
            tf.reduce_all(tf.logical_and(rows > 0, tf.equal(rows, rows[0]))),
            tf.strings.format(
                f"expected {', '.join(given)} of the same number of rows, at least 1, "
                "received {}",
                rows,
            ),
            given,
        )
        sizes = [tf.shape(given[name])[1:3] for name in ("clean", "noise") if name in given]
        if sizes:
            given = once_required(
                tf.reduce_all(tf.logical_and(sizes[0] > 0, tf.equal(sizes[0], sizes[-1]))),
                tf.strings.format(
                    "expected images of the same height and width, at least 1, received {}",
                    tf.stack(sizes),
                ),
                given,
            )
        dtype = self.noise_model.dtype
        return {
            name: tf.cast(value, dtype) if value.dtype.is_floating else value
            for name, value in given.items()
        }

    def _required(self, given: dict[str, tf.Tensor]) -> Any:
        """Valid inputs, and which rows are valid (None: all, or the graph has raised)."""
        checks = checks_of_inputs(self.noise_model, given)
        if not self.has_valid_output:
            return require_rows(checks, given), None
        is_valid = are_valid(checks)
        return _where_valid(is_valid, given, self._harmless), is_valid

    def _finished(
        self, outputs: dict[str, tf.Tensor], check: RowCheck, is_valid: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """The outputs of a signature, of which `check` must hold."""
        if not self.has_valid_output:
            return require_rows([check], outputs)
        is_valid = tf.logical_and(is_valid, check.is_valid)
        zeros = dict.fromkeys(outputs, 0)
        return {**_where_valid(is_valid, outputs, zeros), "valid": is_valid}


def _where_valid(is_valid: tf.Tensor, given: dict[str, tf.Tensor], otherwise: dict) -> dict:
    """`given`, and in rows that are not valid what `otherwise` holds."""

    def replaced(value: tf.Tensor, other: TensorLike) -> tf.Tensor:
        condition = tf.reshape(is_valid, [-1] + [1] * (value.shape.rank - 1))
        return tf.where(condition, value, tf.constant(other, value.dtype))

    return {name: replaced(value, otherwise[name]) for name, value in given.items()}
