"""SIDD as a source of captures, and its import: a capture file for each split."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from tfp_noiseflow.captures.import_captures import FAULTS, import_captures
from tfp_noiseflow.captures.source import SourceImage, SplitPlan
from tfp_noiseflow.sidd.images import (
    LICENCE,
    ORIGIN,
    CheckedImage,
    Patches,
    check_image,
    patches_of,
)
from tfp_noiseflow.sidd.layout import (
    IMAGE_NUMBERS,
    ISO_LEVELS,
    SPLITS,
    find_instances,
    images_of,
)

PAPER_PATCHES = Patches()


@dataclass(frozen=True)
class Sidd:
    """A SIDD tree, as `import_captures` takes it.

    Attributes:
      path: SIDD_Medium_Raw, or the full data set's folder.
      splits: name to SIDD's instances; by default the paper's.
      image_numbers: which images of an instance.
      iso_levels: images at other ISOs are left out.
      patches: which patches of an image, and how they are stored.
      compression: None, "gzip" or "lzf".

    Raises:
      ValueError: an instance that is in two splits.
    """

    path: str | os.PathLike
    splits: Mapping[str, Sequence[int]] = field(default_factory=lambda: dict(SPLITS))
    image_numbers: Sequence[int] = IMAGE_NUMBERS
    iso_levels: Sequence[float] = ISO_LEVELS
    patches: Patches = PAPER_PATCHES
    compression: str | None = None

    # Images whose beta2 was 0 or less, whose metadata tell no codes, that were left out; instances
    # that are not in the tree.
    summary_keys = ("floored_nlf", "unknown_codes", "other_isos", "missing_instances")

    def __post_init__(self):
        _check_disjoint(self.splits)

    @property
    def settings(self) -> dict:
        """As JSON values."""
        return {
            "splits": {name: list(instances) for name, instances in self.splits.items()},
            "image_numbers": list(self.image_numbers),
            "iso_levels": list(self.iso_levels),
            "compression": self.compression,
            **asdict(self.patches),
        }

    def plans(self) -> list[SplitPlan]:
        """The plan of each split: metadata and sizes of all its images are checked.

        Raises:
          FileNotFoundError, ValueError: as `find_instances`.
        """
        folders = find_instances(self.path)
        return [self._plan(name, folders, instances) for name, instances in self.splits.items()]

    def _plan(self, name: str, folders: Mapping[int, str], instances: Sequence[int]) -> SplitPlan:
        images, bad, missing, other_isos = [], {}, [], 0
        for instance in instances:
            if instance not in folders:
                missing.append(instance)
                continue
            try:
                found = images_of(folders[instance], self.image_numbers)
            except ValueError as fault:
                bad[os.path.basename(folders[instance])] = str(fault)
                continue
            for image in found:
                if image.iso not in self.iso_levels:
                    other_isos += 1
                    continue
                try:
                    images.append(self._source_image(check_image(image)))
                except FAULTS as fault:
                    bad[image.name] = str(fault)
        return SplitPlan(
            name,
            images,
            bad,
            expected=f"instances {list(instances)} at ISO {list(self.iso_levels)}",
            about={"other_isos": other_isos, "missing_instances": missing},
        )

    def _source_image(self, checked: CheckedImage) -> SourceImage:
        patches = len(self.patches.corners(checked.shape, checked.image))
        return SourceImage(
            checked.image.name,
            checked.fingerprint,
            patches,
            patches * self.patches.bytes_per_patch,
            content=checked,
            counts={
                "floored_nlf": int(checked.metadata.is_floored),
                "unknown_codes": int(checked.metadata.codes is None),
            },
        )

    def read(self, image: SourceImage) -> dict[str, np.ndarray]:
        """The captures of an image, see `patches_of`."""
        return patches_of(image.content, self.patches)

    def writer_options(self, split: str, images: int) -> dict:
        """What a CaptureWriter is given for a split of so many images."""
        patches = self.patches
        return {
            "description": (
                f"SIDD raw, {split} split, {images} images, at most {patches.patches_per_image} "
                f"patches an image ({patches.sampling}), packed R, Gr, Gb, B by the CFA, clipped "
                "to [0, 1]."
            ),
            "origin": ORIGIN,
            "licence": LICENCE,
            "compression": self.compression,
        }


def import_sidd(
    sidd_root: str | os.PathLike,
    output_dir: str | os.PathLike,
    *,
    splits: Mapping[str, Sequence[int]] = SPLITS,
    image_numbers: Sequence[int] = IMAGE_NUMBERS,
    iso_levels: Sequence[float] = ISO_LEVELS,
    patches: Patches = PAPER_PATCHES,
    compression: str | None = None,
    skip_bad: bool = False,
    processes: int | None = None,
    on_plan: Callable[[SplitPlan], None] | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
    on_joined: Callable[[str, int, int], None] | None = None,
) -> dict:
    """Writes a capture file of each split of a SIDD tree.

    Metadata and sizes of all images are checked before the first pixel is read.

    Args:
      sidd_root: SIDD_Medium_Raw, or the full data set's folder.
      output_dir, skip_bad, processes, on_plan, on_progress, on_joined: as `import_captures` takes
        them. An image takes some 0.3 GB.
      splits, image_numbers, iso_levels, patches, compression: see `Sidd`.

    Returns:
      The content of import.json: `settings`, `fingerprints` of the images of each split, and for
      each of `files` its `captures`, `images`, `floored_nlf` (images whose beta2 was 0 or less),
      `unknown_codes` (images whose metadata do not tell white minus black), `other_isos`,
      `missing_instances` and `bad` (name of the image or its folder to reason).

    Raises:
      FileNotFoundError: no sidd_root.
      ValueError: an instance that is in two splits; else as `import_captures`.
      OSError: as `import_captures`.
    """
    return import_captures(
        Sidd(sidd_root, splits, image_numbers, iso_levels, patches, compression),
        output_dir,
        skip_bad=skip_bad,
        processes=processes,
        on_plan=on_plan,
        on_progress=on_progress,
        on_joined=on_joined,
        how_to_skip="skip_bad=True, or --on_bad_file=skip,",
    )


def _check_disjoint(splits: Mapping[str, Sequence[int]]) -> None:
    """Raises ValueError where an instance is listed twice: a test must not see what is trained."""
    split_of: dict[int, str] = {}
    for name, instances in splits.items():
        for instance in instances:
            if instance in split_of:
                raise ValueError(
                    f"expected each instance in one split, once; received instance {instance} in "
                    f"{split_of[instance]!r} and in {name!r}."
                )
            split_of[instance] = name
