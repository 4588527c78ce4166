"""Architecture strings, the paper's (table 2) and beyond: `S-Ax4-G-Ax4-CAM`.

Each letter is an entry of a table: what it stands for, how its layers are built, and what it may
stand with. `register_layer` adds one; nothing else needs to know of it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector

CAMERA_FACTORS = "CAM"

# The paper's (table 2).
PAPER_ARCHITECTURE = "S-Ax4-G-Ax4-CAM"


@dataclass
class Context:
    """What the builder of a letter's layers is given.

    Attributes:
      channels: of the images that the layers see.
      dtype: of variables and images.
      has_camera_factors: whether CAM is in the architecture.
      options: the flow's options by name, those of all letters.
      channel_order: for each channel that the layers see, the channel of the images.
      is_transposed: whether the layers see rows of the images as columns.
      number: how many of this letter stand before and including this one.
      letters: of the whole architecture, in density order.
      shared: what letters of one flow share, by name: built by the one that comes first.
      needs_iso_levels: whether a builder has asked for `iso_levels`; a flow of which none has may
        know any ISO.
    """

    channels: int
    dtype: tf.DType
    has_camera_factors: bool
    options: Mapping[str, Any]
    cameras: tuple[str, ...] | None
    levels: tuple[float, ...] | None
    seeds: np.random.SeedSequence
    channel_order: tuple[int, ...] = ()
    is_transposed: bool = False
    letters: tuple[str, ...] = ()
    number: int = 1
    shared: dict = field(default_factory=dict)
    needs_iso_levels: bool = False

    @property
    def num_cameras(self) -> int:
        """The number of cameras; ValueError where the flow was given none."""
        if self.cameras is None:
            raise ValueError("expected camera names, each once, received None.")
        return len(self.cameras)

    @property
    def iso_levels(self) -> tuple[float, ...]:
        """The ISO levels; ValueError where the flow was given none."""
        self.needs_iso_levels = True
        if self.levels is None:
            raise ValueError("expected positive ISO levels, each once, received None.")
        return self.levels

    def seed(self) -> np.random.SeedSequence:
        """A seed that no other layer of the flow has."""
        return self.seeds.spawn(1)[0]


@dataclass(frozen=True)
class Letter:
    """A letter of architecture strings.

    Attributes:
      meaning: in words.
      build: a context -> layers, in density order.
      once_among: letters of which one may stand in an architecture, this one among them; empty:
        any number of times.
      options: names of the flow's options that it takes, with their defaults.
    """

    meaning: str
    build: Callable[[Context], Sequence[ConditionalBijector]]
    once_among: str = ""
    options: Mapping[str, object] = field(default_factory=dict)


LETTERS: dict[str, Letter] = {}


def register_layer(
    letter: str,
    meaning: str,
    build: Callable[[Context], Sequence[ConditionalBijector]],
    *,
    once_among: str = "",
    options: Mapping[str, object] | None = None,
) -> None:
    """Makes a letter of architecture strings stand for layers.

    ```python
    nf.register_layer(
        "Q", "mixing of channels", lambda context: [InvertibleConv1x1(context.channels)]
    )
    nf.NoiseFlow("S-Ax1-Q-Ax1-G")
    ```

    Args:
      letter: one capital letter.
      meaning, build, once_among, options: as in `Letter`.

    Raises:
      ValueError: no capital letter, or one that stands for something else; an option that another
        letter takes with another default.
    """
    if not re.fullmatch("[A-Z]", letter):
        raise ValueError(f"expected one capital letter, received {letter!r}.")
    entry = Letter(meaning, build, once_among, dict(options or {}))
    if letter in LETTERS and not _is_defined_anew(LETTERS[letter], entry):
        raise ValueError(
            f"expected a free letter, {letter!r} stands for: {LETTERS[letter].meaning}."
        )
    for other, its in LETTERS.items():
        for name in entry.options.keys() & its.options.keys():
            if other != letter and entry.options[name] != its.options[name]:
                raise ValueError(
                    f"expected the default {its.options[name]!r} of the option {name}, which "
                    f"{other} takes too, received {entry.options[name]!r}."
                )
    LETTERS[letter] = entry


def _is_defined_anew(known: Letter, entry: Letter) -> bool:
    """Whether a module that is run again, as notebooks do, registers its letter again."""

    def place(letter: Letter) -> tuple:
        return letter.meaning, *(
            getattr(letter.build, name, None) for name in ("__module__", "__qualname__")
        )

    return place(known) == place(entry)


@dataclass(frozen=True)
class Architecture:
    """A parsed architecture string.

    Attributes:
      layers: letters in density order, noise first, repetitions written out.
      has_camera_factors: CAM is there: the gain layer has a factor for each camera.
    """

    layers: tuple[str, ...]
    has_camera_factors: bool

    @property
    def in_words(self) -> str:
        """What its letters stand for, noise first."""
        words = []
        for letter, run in itertools.groupby(self.layers):
            times = len(list(run))
            words.append(LETTERS[letter].meaning + (f", {times} times" if times > 1 else ""))
        return "; ".join(words) + ("; factors of each camera" if self.has_camera_factors else "")

    def options(self) -> dict[str, object]:
        """The options of its letters, with their defaults."""
        return {k: v for letter in self.layers for k, v in LETTERS[letter].options.items()}

    def build(self, context: Context) -> list[ConditionalBijector]:
        """Its layers, in density order.

        Raises:
          ValueError: a letter gives something else than layers of the context's dtype, each of a
            name that no other has.
        """
        context.letters = self.layers
        layers: list[ConditionalBijector] = []
        for position, letter in enumerate(self.layers):
            context.number = self.layers[: position + 1].count(letter)
            built = LETTERS[letter].build(context)
            _check_built(letter, built, context, {layer.name for layer in layers})
            layers += built
        return layers


def _check_built(letter: str, built: Any, context: Context, taken: set[str]) -> None:
    """Raises ValueError for what is no sequence of layers of the context."""
    of_letter = f"expected the builder of {letter} ({LETTERS[letter].meaning}) to give"
    is_sequence = isinstance(built, Sequence) and not isinstance(built, ConditionalBijector)
    if not is_sequence or not all(isinstance(layer, ConditionalBijector) for layer in built):
        raise ValueError(f"{of_letter} a list of layers, received {built!r}.")
    for position, layer in enumerate(built):
        if layer.dtype != context.dtype:
            raise ValueError(
                f"{of_letter} layers of its context's dtype {context.dtype.name}, received "
                f"{layer.name} of {layer.dtype.name}."
            )
        if layer.name in taken | {other.name for other in built[:position]}:
            raise ValueError(
                f"{of_letter} its layers names that no other has, such as {layer.name}_1 by the "
                f"context's number, received {layer.name} again."
            )


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
    has_camera_factors = parts[-1:] == [CAMERA_FACTORS]
    letters: list[str] = []
    for part in parts[: len(parts) - has_camera_factors]:
        match = re.fullmatch(r"([A-Z])(?:x([1-9][0-9]?))?", part)
        if not match or match[1] not in LETTERS:
            known = ", ".join(f"{letter} ({entry.meaning})" for letter, entry in LETTERS.items())
            raise ValueError(
                f"expected an architecture such as 'S-Ax4-G-Ax4-CAM' of the layers {known}, "
                f"each with an optional repetition xK, and CAM at the end; received {part!r} "
                f"in {text!r}. A letter of another library is known once the module that registers "
                "it is imported."
            )
        letters += [match[1]] * int(match[2] or 1)
    for once in dict.fromkeys(LETTERS[letter].once_among for letter in letters):
        if sum(letters.count(letter) for letter in once) > 1:
            raise ValueError(
                f"expected at most one {' or '.join(once)} in an architecture, received {text!r}."
            )
    if has_camera_factors and "G" not in letters:
        raise ValueError(f"expected a G for the camera factors of CAM, received {text!r}.")
    if not letters:
        raise ValueError(f"expected an architecture such as 'S-Ax4-G-Ax4-CAM', received {text!r}.")
    return Architecture(tuple(letters), has_camera_factors)
