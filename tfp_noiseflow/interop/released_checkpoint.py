"""The model that the authors of Noise Flow released, read from its TensorFlow 1 checkpoint.

It is not the paper's equations 12 to 16. Each camera has its own beta, and its own dependence of
gamma on the ISO, gamma = ISO exp(v_ISO c2[camera]); gamma divides the clean image alone and does
not scale the noise, which one constant between the flow steps does. In the density direction:

    x <- x / s,  s^2 = exp(b1 c0[camera]) clean / gamma + exp(b2 c1[camera])    N
    four times: x <- x A, then a coupling                                        Ax4
    x <- x / constant                                                            C
    four times: x <- x A, then a coupling                                        Ax4

which are the layers of `NoiseFlow("N-Ax4-C-Ax4", has_border_indicator=True)`. The batch
normalisation in the couplings' networks, in evaluation an affine map, is folded into the
convolution before it. The couplings' networks stand in the checkpoint in density order; the
released sampling code loads them in reverse, and its noise is some three times too strong.

The checkpoint is CC BY-NC-SA and is not part of this library.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_noiseflow.captures.bayer import pack_bayer
from tfp_noiseflow.models.noise_flow import NoiseFlow

CAMERAS = ("IP", "GP", "S6", "N6", "G4")
ISO_LEVELS = (100, 400, 800, 1600, 3200)

TRAINING_DATA = {
    "description": "SIDD raw, as the released code of Noise Flow loads it",
    "origin": "Abdelhamed, Brubaker, Brown: Noise Flow, ICCV 2019, the released checkpoint",
    "licence": "CC BY-NC-SA 4.0",
}

# What the released code adds to the variance in its batch normalisation.
BATCH_NORMALISATION_EPSILON = 1e-4

# The layers of the released checkpoint, where no list of layers stands beside it.
LAYERS = (
    "sdn_0",
    *(f"{kind}_{number}" for number in (1, 2, 3, 4) for kind in ("Conv2d_1x1", "unc")),
    "gain_5",
    *(f"{kind}_{number}" for number in (6, 7, 8, 9) for kind in ("Conv2d_1x1", "unc")),
)

# Their kinds, and the letters that they are in an architecture. A step is two of the list.
LETTERS = {"sdn": "N", "Conv2d_1x1": "", "unc": "A", "gain": "C"}


# What the released loader packs: for each of its channels, the position in a 2x2 block of the
# image. It takes (0, 0), (0, 1), (1, 1), (1, 0) of an array whose rows are the image's columns.
LOADER_POSITIONS = ((0, 0), (1, 0), (1, 1), (0, 1))


def load_released_checkpoint(
    directory: str | os.PathLike, *, cfa: str | None = None, dtype: tf.DType = tf.float32
) -> NoiseFlow:
    """The released Noise Flow as a noise model like any other.

    Its channels are those of the released data loader, the mosaic's positions (0, 0), (0, 1),
    (1, 1), (1, 0) of arrays as SIDD stores them (rows and columns of the image swapped), whatever
    the sensor's colour filter array; they are not this library's packed order R, Gr, Gb, B. With
    `cfa` the loaded model takes and gives packed images, and permutes and transposes inside.

    Args:
      directory: holds `model.ckpt.best.index` and its data, and, for another number of steps than
        four and four, `hps.txt`, which begins with the list of layers.
      cfa: "RGGB", "GRBG", "GBRG" or "BGGR", of the sensor whose images, packed as R, Gr, Gb, B,
        the model is for; None: images are arranged as the released loader does.
      dtype: float32 or float64.

    Returns:
      `NoiseFlow` of the cameras IP, GP, S6, N6, G4 at ISO 100, 400, 800, 1600, 3200, with the
      checkpoint's licence and origin.

    Raises:
      FileNotFoundError: there is no checkpoint.
      ValueError: an unknown cfa, a damaged checkpoint, a variable that is missing or of another
        shape; names it.
    """
    directory = os.fspath(directory)
    path = os.path.join(directory, "model.ckpt.best")
    if not os.path.exists(f"{path}.index"):
        raise FileNotFoundError(f"{path}.index: expected the released checkpoint, no such file.")
    layers = _layers(directory)
    variables = _Variables(path)
    hidden_channels = variables.shape("model/real_nvp_conv_template/l_1/W")[-1]
    model = NoiseFlow(
        _architecture(kind for kind, _ in layers),
        cameras=CAMERAS,
        iso_levels=ISO_LEVELS,
        channels=4,
        hidden_channels=hidden_channels,
        has_border_indicator=True,
        channel_order=None if cfa is None else _packed_channels(cfa),
        is_transposed=cfa is not None,
        dtype=dtype,
        seed=0,
    )
    couplings = 0
    for (kind, number), layer in zip(layers, model.layers.values(), strict=True):
        if kind == "sdn":
            _assign_signal_dependent(layer, variables)
        elif kind == "gain":
            layer.bijector.log_scale.assign(np.log(variables("model/sdn_gain/gain_val", [1])[0]))
        elif kind == "Conv2d_1x1":
            _assign_conv1x1(layer, variables, number)
        else:
            _assign_coupling(layer, variables, number, couplings, hidden_channels)
            couplings += 1
    model.licence, model.origin = TRAINING_DATA["licence"], TRAINING_DATA["origin"]
    return model


def _architecture(kinds: Iterable[str]) -> str:
    letters = [LETTERS[kind] for kind in kinds if LETTERS[kind]]
    runs = ((letter, len(list(run))) for letter, run in itertools.groupby(letters))
    return "-".join(f"{letter}x{length}" if letter == "A" else letter for letter, length in runs)


def _packed_channels(cfa: str) -> tuple[int, ...]:
    """For each channel of the released loader, the channel of packed images of a sensor."""
    height, width = 2, 2
    position_in_block = np.arange(height * width).reshape(height, width)
    packed = pack_bayer(position_in_block, cfa).reshape(-1)
    return tuple(int(np.flatnonzero(packed == position_in_block[p])[0]) for p in LOADER_POSITIONS)


class _Variables:
    """The checkpoint's variables by name, with errors that name what is wrong."""

    def __init__(self, path: str):
        self._path = path
        try:
            self._reader = tf.train.load_checkpoint(path)
            self._shapes = self._reader.get_variable_to_shape_map()
        except (IndexError, ValueError, tf.errors.OpError) as error:
            raise ValueError(f"{path}: expected a TensorFlow checkpoint: {error}") from error

    def shape(self, name: str) -> list[int]:
        if name not in self._shapes:
            raise ValueError(f"{self._path}: expected the variable {name}, there is none.")
        return self._shapes[name]

    def __call__(self, name: str, shape: list[int]) -> np.ndarray:
        if self.shape(name) != shape:
            raise ValueError(
                f"{self._path}: expected the variable {name} of shape {shape}, received "
                f"{self.shape(name)}."
            )
        try:
            return self._reader.get_tensor(name).astype(np.float64)
        except (IndexError, ValueError, tf.errors.OpError) as error:
            raise ValueError(f"{self._path}: variable {name} is damaged: {error}") from error


def _layers(directory: str) -> list[tuple[str, int]]:
    """Kind and number of each layer in density order, of hps.txt where it is there."""
    path = os.path.join(directory, "hps.txt")
    lines = list(LAYERS)
    if os.path.exists(path):
        # What is not text is no layer, which is told below.
        with open(path, encoding="utf-8", errors="replace") as file:
            # The list ends where the number of parameters stands alone.
            lines = list(itertools.takewhile(lambda line: not line.isdigit(), map(str.strip, file)))
    layers = []
    for line in lines or [""]:
        match = re.fullmatch(rf"({'|'.join(LETTERS)})_([0-9]+)", line)
        if not match:
            raise ValueError(
                f"{path}: expected a list of the layers {list(LETTERS)} with their numbers, such "
                f"as 'sdn_0', received {line!r}."
            )
        layers.append((match[1], int(match[2])))
    kinds = [kind for kind, _ in layers]
    steps = [kind for kind in kinds if kind in ("Conv2d_1x1", "unc")]
    if steps != ["Conv2d_1x1", "unc"] * (len(steps) // 2):
        raise ValueError(f"{path}: expected each Conv2d_1x1 with an unc after it, got {kinds}.")
    return layers


def _assign_signal_dependent(layer: Any, variables: _Variables) -> None:
    # c0, c1, c2: the cameras' factors of b1, b2 and v.
    factors = np.exp(variables("model/sdn_gain/cam_params", [3, len(CAMERAS)]))
    v = variables("model/sdn_gain/gain_params", [len(ISO_LEVELS)])
    layer.log_beta1.values.assign(variables("model/sdn_gain/beta1", [1])[0] * factors[0])
    layer.log_beta2.values.assign(variables("model/sdn_gain/beta2", [1])[0] * factors[1])
    layer.gain.log_u.values.assign(factors[2][:, np.newaxis] * v)


def _assign_conv1x1(layer: Any, variables: _Variables, number: int) -> None:
    scope = f"level0/bijector{number}/Conv2d_1x1_{number}"

    def read(name: str, shape: list[int]) -> np.ndarray:
        return variables(f"{scope}/{name}_matpar_lu_conv2d_1x1_{number}_0", shape)

    # The vectors fill the triangles in an order of their own; ours go row by row.
    layer.lower.assign(read("L_vec", [6])[[3, 5, 4, 2, 1, 0]])
    layer.upper.assign(read("U_vec", [6])[[0, 1, 4, 2, 5, 3]])
    layer.log_scale.assign(read("log_S", [4]))
    layer.sign.assign(read("sign_S", [4]))
    layer.permutation.assign(read("P", [4, 4]))


def _assign_coupling(
    layer: Any, variables: _Variables, number: int, position: int, hidden_channels: int
) -> None:
    """Network `position` in density order, for the coupling `number` of the list of layers."""
    scope = "model/real_nvp_conv_template" + (f"_{position}" if position else "")

    def convolution(name: str, shape: list[int]) -> tuple[np.ndarray, np.ndarray]:
        kernel = variables(f"{scope}/{name}/W", shape)
        return kernel, variables(f"{scope}/{name}/b", [1, 1, 1, shape[-1]]).reshape(-1)

    def normalised(
        name: str, kernel: np.ndarray, bias: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        mean = variables(f"{scope}/{name}/mean", [hidden_channels])
        variance = variables(f"{scope}/{name}/var", [hidden_channels])
        factor = 1 / np.sqrt(variance + BATCH_NORMALISATION_EPSILON)
        return kernel * factor, (bias - mean) * factor

    first = convolution("l_1", [3, 3, 2, hidden_channels])
    second = convolution("l_2", [1, 1, hidden_channels, hidden_channels])
    last = convolution("l_last", [3, 3, hidden_channels + 1, 4])
    scale = np.exp(3 * variables(f"{scope}/l_last/logs", [1, 4]).reshape(-1))
    net = layer.conditioner
    for (kernel, bias), values in (
        ((net.kernel1, net.bias1), normalised("bn_nvp_conv_1", *first)),
        ((net.kernel2, net.bias2), normalised("bn_nvp_conv_2", *second)),
        ((net.kernel3, net.bias3), (last[0] * scale, last[1] * scale)),
    ):
        kernel.assign(values[0])
        bias.assign(values[1])
    layer.scale.assign(variables(f"level0/bijector{number}/rescaling_scale0", []))
