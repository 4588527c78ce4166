"""Checks of a batch that name the row: what a client of a server can act on.

A noise model says that something in a batch is wrong. A client sees only the error's text, and a
server may have merged its rows with others', so that here the text says which row it is, what the
row holds and what is known. The rules are the noise model's own (`conditions/`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import tensorflow as tf

from tfp_noiseflow.conditions.conditions import CleanImage, Rule
from tfp_noiseflow.models.noise_model import NoiseModel

# Of a client's text in an error message: a camera's name may be megabytes of anything.
LONGEST_TEXT = 64


@dataclass(frozen=True)
class RowCheck:
    """What must hold of each row.

    Attributes:
      expected: in words, the input's name first.
      is_valid: [B] bool.
      received: a row's number -> a string that shows what the row holds.
      known: the values that are known, where they can be listed.
    """

    expected: str
    is_valid: tf.Tensor
    received: Callable[[tf.Tensor], tf.Tensor]
    known: str = ""


def are_valid(checks: Sequence[RowCheck]) -> tf.Tensor:
    """[B] bool: rows of which all checks hold."""
    return tf.reduce_all(tf.stack([check.is_valid for check in checks]), axis=0)


def require_rows(checks: Sequence[RowCheck], given: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """`given`, as tensors that exist once all checks hold.

    Raises:
      InvalidArgumentError: when the graph runs: `row 2: expected .., received ..; known: ..`, of
        the first row that is wrong and its first wrong value.
    """
    is_valid = are_valid(checks)

    def message() -> tf.Tensor:
        # The first that is false is the smallest.
        row = tf.argmin(tf.cast(is_valid, tf.int32), output_type=tf.int32)
        of_row = tf.stack([check.is_valid[row] for check in checks])
        first = tf.argmin(tf.cast(of_row, tf.int32))
        # Last, as it may be long: a model server cuts messages after 1024 bytes.
        known = [f"; known: {check.known}" if check.known else "" for check in checks]
        return tf.strings.join(
            [
                "row ",
                tf.strings.as_string(row),
                ": expected ",
                tf.constant([check.expected for check in checks])[first],
                ", received ",
                tf.stack([check.received(row) for check in checks])[first],
                tf.constant(known)[first],
            ]
        )

    all_valid = tf.reduce_all(is_valid)
    # In a cond: to look for a wrong pixel takes longer than to see that there is none.
    text = tf.cond(all_valid, lambda: tf.constant(""), message)
    return once_required(all_valid, text, given)


def once_required(
    holds: tf.Tensor, message: tf.Tensor, given: dict[str, tf.Tensor]
) -> dict[str, tf.Tensor]:
    """`given`, as tensors that exist once `holds`; else the graph raises InvalidArgumentError."""
    with tf.control_dependencies([tf.raw_ops.Assert(condition=holds, data=[message])]):
        return {name: tf.identity(value) for name, value in given.items()}


def checks_of_inputs(model: NoiseModel, given: Mapping[str, tf.Tensor]) -> list[RowCheck]:
    """What is asked of the inputs of a served noise model, row by row.

    Args:
      model: the noise model. One that does not tell cameras apart takes any name.
      given: clean [B, H, W, C], iso [B], camera [B] string; of temperature [B] and noise
        [B, H, W, C] those that the signature takes.

    Returns:
      RowChecks.
    """
    iso, camera = given["iso"], given["camera"]
    checks = [_rule_check(rule, iso, camera) for rule in model.known.rules(iso, camera)]
    if "temperature" in given:
        temperature = given["temperature"]
        is_valid = tf.logical_and(temperature >= 0, temperature <= temperature.dtype.max)
        expected = "temperature to be finite and not negative"
        checks.append(number_check(expected, is_valid, temperature))
    clean = CleanImage()
    (rule,) = clean.rules("clean", given["clean"])
    checks.append(_pixel_check(rule.expected, rule.is_valid, given["clean"]))
    if "noise" in given:
        expected, noise = "no pixel of noise to be NaN or infinite", given["noise"]
        checks.append(_pixel_check(expected, tf.math.is_finite(noise), noise))
    return checks


def _rule_check(rule: Rule, iso: tf.Tensor, camera: tf.Tensor) -> RowCheck:
    """A rule of the known cameras and ISOs, showing what it is about."""
    shows_camera, shows_iso = "camera" in rule.of, "iso" in rule.of

    def received(row: tf.Tensor) -> tf.Tensor:
        camera_text = [_shortened(camera[row])] * shows_camera
        between = [" at ISO "] * (shows_camera and shows_iso)
        iso_text = [tf.strings.as_string(iso[row], shortest=True)] * shows_iso
        return tf.strings.join([*camera_text, *between, *iso_text])

    return RowCheck(rule.expected, rule.is_valid, received, rule.known)


def number_check(
    expected: str, is_valid: tf.Tensor, numbers: tf.Tensor, known: str = ""
) -> RowCheck:
    """Of numbers [B]."""
    return RowCheck(
        expected, is_valid, lambda row: tf.strings.as_string(numbers[row], shortest=True), known
    )


def _pixel_check(expected: str, is_valid: tf.Tensor, images: tf.Tensor) -> RowCheck:
    """Of images [B, H, W, C], each pixel valid or not; shows a row's first wrong one."""

    def first_wrong(row: tf.Tensor) -> tf.Tensor:
        pixels, are_valid = tf.reshape(images[row], [-1]), tf.reshape(is_valid[row], [-1])
        return pixels[tf.argmin(tf.cast(are_valid, tf.int32))]

    return RowCheck(
        expected,
        tf.reduce_all(is_valid, axis=[1, 2, 3]),
        lambda row: tf.strings.as_string(first_wrong(row), shortest=True),
    )


def _shortened(text: tf.Tensor) -> tf.Tensor:
    """A client's text as it may stand in an error message: valid UTF-8 and not long."""
    # Cut before it is decoded too: the decoder need not see megabytes.
    text = tf.strings.substr(text, 0, 4 * LONGEST_TEXT)
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", replace_control_characters=True)
    return tf.strings.join(["'", tf.strings.substr(text, 0, LONGEST_TEXT, unit="UTF8_CHAR"), "'"])
