"""Checkpoints of the released model's form with invented values: its own may not be copied."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def layer_names(steps=(4, 4)) -> list[str]:
    """The list of layers that begins hps.txt: sdn, steps, gain, steps."""
    names, number = ["sdn_0"], 0
    for position, count in enumerate(steps):
        if position:
            number += 1
            names.append(f"gain_{number}")
        for _ in range(count):
            number += 1
            names += [f"Conv2d_1x1_{number}", f"unc_{number}"]
    return names


def variables(steps=(4, 4), width=4, seed=0) -> dict[str, np.ndarray]:
    """All variables by name, of the right shapes."""
    rng = np.random.default_rng(seed)

    def normal(*shape, mean=0.0, scale=0.1):
        return np.float32(mean + scale * rng.standard_normal(shape))

    values = {
        "model/sdn_gain/cam_params": normal(3, 5),
        "model/sdn_gain/gain_params": normal(5, mean=-5.0),
        "model/sdn_gain/beta1": normal(1, mean=-5.0),
        "model/sdn_gain/beta2": normal(1, mean=-9.0),
        "model/sdn_gain/gain_val": np.float32([0.3]),
    }
    couplings = 0
    for name in layer_names(steps):
        kind, number = name.rsplit("_", 1)
        if kind == "Conv2d_1x1":
            scope = f"level0/bijector{number}/{name}"
            end = f"matpar_lu_conv2d_1x1_{number}_0"
            values |= {
                f"{scope}/L_vec_{end}": normal(6),
                f"{scope}/U_vec_{end}": normal(6),
                f"{scope}/log_S_{end}": normal(4),
                f"{scope}/sign_S_{end}": np.float32([1, -1, 1, 1]),
                f"{scope}/P_{end}": np.eye(4, dtype=np.float32)[rng.permutation(4)],
            }
        elif kind == "unc":
            scope = "model/real_nvp_conv_template" + (f"_{couplings}" if couplings else "")
            couplings += 1
            values[f"level0/bijector{number}/rescaling_scale0"] = normal(mean=0.5)
            for layer, shape in {
                "l_1": (3, 3, 2, width),
                "l_2": (1, 1, width, width),
                "l_last": (3, 3, width + 1, 4),
            }.items():
                values[f"{scope}/{layer}/W"] = normal(*shape)
                values[f"{scope}/{layer}/b"] = normal(1, 1, 1, shape[-1])
            values[f"{scope}/l_last/logs"] = normal(1, 4)
            for layer in ("bn_nvp_conv_1", "bn_nvp_conv_2"):
                values[f"{scope}/{layer}/mean"] = normal(width)
                values[f"{scope}/{layer}/var"] = np.exp(normal(width))
    return values


def write_checkpoint(directory, values: dict[str, np.ndarray], names: list[str] | None = None):
    """Writes model.ckpt.best.* and, with names of layers, hps.txt."""
    directory.mkdir(parents=True, exist_ok=True)
    tf.raw_ops.SaveV2(
        prefix=str(directory / "model.ckpt.best"),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=[tf.constant(value) for value in values.values()],
    )
    if names is not None:
        (directory / "hps.txt").write_text("\n".join([*names, "2433", "lr 0.0001"]) + "\n")
    return directory
