"""The paper's architecture strings (table 2): `S-Ax4-G-Ax4-CAM`."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Letter -> what it stands for. A new layer adds its letter here and its builder in noise_flow.py.
LAYERS = {
    "S": "signal-dependent layer",
    "N": "signal-dependent layer whose beta and gain each camera has for itself",
    "G": "gain layer",
    "C": "constant gain",
    "A": "flow step: 1x1 convolution and affine coupling",
}


@dataclass(frozen=True)
class Architecture:
    """A parsed architecture string.

    Attributes:
      layers: letters in density order, noise first, repetitions written out.
      has_camera_factors: CAM is there: the gain layer has a factor for each camera.
    """

    layers: tuple[str, ...]
    has_camera_factors: bool


def parse_architecture(text: str) -> Architecture:
    """Reads an architecture string.

    Layers in density order, joined by `-`: `S`, `G`, `A`, each with an optional repetition `xK`;
    `CAM` at the end for camera factors in the gain layer.

    Args:
      text: such as "S-G", "S-G-CAM", "S-Ax1-G-Ax1-CAM", "S-Ax4-G-Ax4-CAM", "Ax4".

    Returns:
      Architecture.

    Raises:
      ValueError: names the part that was not understood.
    """
    parts = text.split("-") if isinstance(text, str) else []
    has_camera_factors = parts[-1:] == ["CAM"]
    letters: list[str] = []
    for part in parts[: len(parts) - has_camera_factors]:
        match = re.fullmatch(r"([A-Z])(?:x([1-9][0-9]?))?", part)
        if not match or match[1] not in LAYERS:
            known = ", ".join(f"{letter} ({meaning})" for letter, meaning in LAYERS.items())
            raise ValueError(
                f"expected an architecture such as 'S-Ax4-G-Ax4-CAM' of the layers {known}, "
                f"each with an optional repetition xK, and CAM at the end; received {part!r} "
                f"in {text!r}."
            )
        letters += [match[1]] * int(match[2] or 1)
    for once in ("SN", "G", "C"):
        if sum(letters.count(letter) for letter in once) > 1:
            raise ValueError(
                f"expected at most one {' or '.join(once)} in an architecture, received {text!r}."
            )
    if has_camera_factors and "G" not in letters:
        raise ValueError(f"expected a G for the camera factors of CAM, received {text!r}.")
    if not letters:
        raise ValueError(f"expected an architecture such as 'S-Ax4-G-Ax4-CAM', received {text!r}.")
    return Architecture(tuple(letters), has_camera_factors)
