"""How strong the released model's noise is, beside the camera NLF and beside reversed couplings.

The released sampling code builds its graph in sampling order while the checkpoint names the
couplings' networks in density order, so that it loads the eight networks in reverse, without an
error. The table shows what that does to the noise.
"""

from __future__ import annotations

import csv
import os
import re

import numpy as np
import tensorflow as tf

from tfp_noiseflow.bijectors.affine_coupling import AffineCoupling
from tfp_noiseflow.bijectors.conditioner import Conditioner
from tfp_noiseflow.models.noise_flow import NoiseFlow


def read_noise_parameters(path: str | os.PathLike) -> dict[tuple[str, int], tuple[float, float]]:
    """The NLFs that SIDD's files report, from a CSV file with the columns cam_iso, beta1, beta2.

    Args:
      path: rows such as `GP_00100,0.000228,0.000002`.

    Returns:
      (camera, ISO) to (beta1, beta2).

    Raises:
      ValueError: another header, or a row that is not understood.
    """
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        columns = ["cam_iso", "beta1", "beta2"]
        if reader.fieldnames != columns:
            raise ValueError(f"{path}: expected the columns {columns}, found {reader.fieldnames}.")
        nlf = {}
        for row in reader:
            match = re.fullmatch(r"(\w+)_([0-9]+)", row["cam_iso"] or "")
            try:
                if match is None:
                    raise ValueError(f"expected a camera and an ISO, received {row['cam_iso']!r}")
                nlf[match[1], int(match[2])] = float(row["beta1"]), float(row["beta2"])
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}: expected rows such as GP_00100,0.000228,0.000002, found "
                    f"{','.join(str(value) for value in row.values())}."
                ) from error
    return nlf


def with_couplings_reversed(model: NoiseFlow) -> NoiseFlow:
    """A copy of a flow whose couplings have their networks in the opposite order.

    As the released sampling code loads them: the networks alone; scales stay at their couplings.

    Args:
      model: a flow; it is not changed.

    Returns:
      Another flow of the same layers.
    """
    copied = NoiseFlow.from_config(model.get_config())
    for target, source in zip(copied.variables, model.variables, strict=True):
        target.assign(source)
    targets, sources = (
        [
            layer.conditioner
            for layer in flow.layers.values()
            if isinstance(layer, AffineCoupling) and isinstance(layer.conditioner, Conditioner)
        ]
        for flow in (copied, model)
    )
    for target, source in zip(targets, reversed(sources), strict=True):
        for variable, value in zip(target.variables, source.variables, strict=True):
            variable.assign(value)
    return copied


def noise_strength(
    model: NoiseFlow,
    nlf: dict[tuple[str, int], tuple[float, float]],
    clean: np.ndarray,
    *,
    seed: int = 0,
) -> list[dict]:
    """Standard deviations of sampled noise by camera and ISO.

    Args:
      model: the released model.
      nlf: (camera, ISO) to (beta1, beta2), see `read_noise_parameters`.
      clean: [n, H, W, 4] clean images, as the model takes them.
      seed: of the samples.

    Returns:
      A dict for each camera and ISO: `camera`, `iso`; `sampled`, `reversed` and `camera_nlf`, the
      standard deviations over all values of `clean` in fractions of full scale (`camera_nlf` None
      where no NLF is known); `channel_correlation`, the strongest of the sampled noise.
    """
    flows = {"sampled": model, "reversed": with_couplings_reversed(model)}
    # One compiled function a flow serves all cameras and ISOs.
    draws = {
        name: tf.function(
            lambda iso, camera, flow=flow: flow(clean, iso=iso, camera=camera).sample(
                seed=(seed, 0)
            )
        )
        for name, flow in flows.items()
    }
    rows = []
    for index, camera in enumerate(model.cameras or ()):
        for iso in model.iso_levels or ():
            noise = {
                name: draw(
                    tf.constant(iso, model.dtype), tf.constant(index, tf.int32)
                ).numpy().astype(np.float64)
                for name, draw in draws.items()
            }  # fmt: skip
            correlation = np.corrcoef(noise["sampled"].reshape(-1, clean.shape[-1]).T)
            beta = nlf.get((camera, int(iso)))
            rows.append(
                {
                    "camera": camera,
                    "iso": int(iso),
                    **{name: float(values.std()) for name, values in noise.items()},
                    "camera_nlf": None
                    if beta is None
                    else float(np.sqrt(beta[0] * clean.mean(dtype=np.float64) + beta[1])),
                    "channel_correlation": float(
                        max(correlation[np.triu_indices(len(correlation), 1)], key=abs)
                    ),
                }
            )
    return rows


def noise_strength_markdown(rows: list[dict]) -> str:
    """The rows of `noise_strength` as a report for people."""
    lines = [
        "# Strength of the imported model's noise",
        "",
        "Standard deviation of sampled noise (temperature 1) over the same clean images for all "
        "rows, in fractions of full scale, and its ratio to the camera NLF's, "
        "sqrt(beta1 * mean clean + beta2). *Reversed*: the same weights with the couplings' "
        "networks in the opposite order, as the released sampling code loads them.",
        "",
        "| camera | ISO | camera NLF | sampled | ratio | reversed | ratio | "
        "strongest channel correlation |",
        "|---|---|---|---|---|---|---|---|",
    ]
    ratios: dict[str, list[float]] = {"sampled": [], "reversed": []}
    for row in rows:
        cells = [row["camera"], f"{row['iso']}"]
        cells.append("not known" if row["camera_nlf"] is None else f"{row['camera_nlf']:.5f}")
        for name, of_name in ratios.items():
            ratio = None if row["camera_nlf"] is None else row[name] / row["camera_nlf"]
            if ratio is not None:
                of_name.append(ratio)
            cells += [f"{row[name]:.5f}", "" if ratio is None else f"{ratio:.2f}"]
        lines.append("| " + " | ".join([*cells, f"{row['channel_correlation']:+.3f}"]) + " |")
    if ratios["sampled"]:
        text = (
            f"{name} {min(of_name):.2f} to {max(of_name):.2f}" for name, of_name in ratios.items()
        )
        lines += ["", f"Ratios to the camera NLF: {', '.join(text)}."]
    return "\n".join(lines) + "\n"
