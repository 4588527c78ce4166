"""Where captures come from: what a data set says of itself, so that it can be imported."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

# Of each end of a file, for its fingerprint.
FINGERPRINT_BYTES = 65536


@dataclass(frozen=True)
class SourceImage:
    """One image of a source: what can be known of it without reading its pixels.

    Attributes:
      name: names the image among all of its source, and its part while an import goes on.
      fingerprint: tells its files from others, wherever they lie. See `fingerprint_of`.
      patches: the captures that it gives.
      bytes: of their images in the capture file, without compression.
      content: what its source reads it by. Other processes are given it: it can be pickled.
      counts: numbers of the source's own, whose sums over a split's images are recorded.
    """

    name: str
    fingerprint: str
    patches: int
    bytes: int
    content: Any = None
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass
class SplitPlan:
    """What a split will hold, before any pixel is read.

    Attributes:
      name: of the split and of its file.
      images: in the order of the file.
      bad: name of an image, or of another part of the source, to what is wrong with it.
      expected: which images the split is to have, in words, for the error where there are none.
      about: JSON values of the source's own that are recorded.
    """

    name: str
    images: Sequence[SourceImage]
    bad: dict[str, str] = field(default_factory=dict)
    expected: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def patches(self) -> int:
        """Captures of the file."""
        return sum(image.patches for image in self.images)

    @property
    def bytes(self) -> int:
        """Of the file's images, without compression."""
        return sum(image.bytes for image in self.images)

    @property
    def fingerprints(self) -> dict[str, str]:
        """By image name."""
        return {image.name: image.fingerprint for image in self.images}


class Source(Protocol):
    """A data set that `import_captures` writes capture files of.

    A class of its own in a module of its own, or under a script's `if __name__ == "__main__"`:
    other processes import it, and get it pickled.

    Attributes:
      path: the folder or file. Once all of it is imported it may be gone.
      splits: their names.
      settings: JSON values that say what is imported and how. A folder that holds an import with
        other settings is refused; where the source lies is none of them.
      summary_keys: the names of `counts` and `about` of its images and plans.
    """

    @property
    def path(self) -> str | os.PathLike: ...

    @property
    def splits(self) -> Collection[str]: ...

    @property
    def settings(self) -> Mapping[str, Any]: ...

    @property
    def summary_keys(self) -> Sequence[str]: ...

    def plans(self) -> Iterable[SplitPlan]:
        """The plan of each split. Checks all that can be checked without reading pixels."""

    def read(self, image: SourceImage) -> Mapping[str, Any]:
        """The captures of an image, as `CaptureWriter.append` takes them.

        Raises:
          FileNotFoundError, ValueError: the image is damaged; the message names the file. Any other
            error stops an import also where damaged images are skipped.
        """

    def writer_options(self, split: str, images: int) -> Mapping[str, Any]:
        """Texts, levels and compression of a split of so many images, for its CaptureWriter."""


def fingerprint_of(text: str, paths: Iterable[str | os.PathLike]) -> str:
    """SHA-256 of a text, and of each file's size, beginning and end.

    Reading all of a large data set takes minutes, this seconds: compressed noise differs in size
    and at the ends, and many formats write the time at the beginning.

    Args:
      text: what else tells an image from others.
      paths: its files.

    Returns:
      Hexadecimal digits.
    """
    digest = hashlib.sha256(text.encode())
    for path in paths:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            digest.update(f" {size} ".encode())
            for start in (0, max(0, size - FINGERPRINT_BYTES)):
                file.seek(start)
                digest.update(file.read(FINGERPRINT_BYTES))
    return digest.hexdigest()
