"""Where the images of SIDD lie: its folders, their names, and the paper's split.

`SIDD_Medium_Raw/Data/0001_001_S6_00100_00060_3200_L/0001_NOISY_RAW_010.MAT`, and beside it
`0001_GT_RAW_010.MAT` and `0001_METADATA_RAW_010.MAT`. The full data set has a folder for each kind
below that: `0001_NOISY_RAW/0001_NOISY_RAW_010.MAT`. A folder's name is instance, scene, camera,
ISO, shutter, illuminant and light.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

# Camera code of a folder's name -> the Make that its files' metadata hold.
CAMERA_MAKES = {
    "IP": "Apple",  # iPhone 7
    "GP": "Google",  # Pixel
    "S6": "samsung",  # Galaxy S6 Edge
    "N6": "motorola",  # Nexus 6
    "G4": "LGE",  # LG G4
}

ISO_LEVELS = (100, 400, 800, 1600, 3200)

# Noise Flow's protocol, as its released code fixes it. The instances that are in neither list it
# leaves out.
SPLITS = {
    "train": (
        *(4, 11, 13, 17, 18, 20, 22, 23, 25, 27, 28, 29, 30, 34, 35, 39, 40, 42, 43, 44, 45, 47),
        *(81, 86, 88, 90, 101, 102, 104, 105, 110, 111, 115, 116, 125, 126, 127, 129, 132, 135),
        *(138, 140, 175, 177, 178, 179, 180, 181, 185, 186, 189, 192, 193, 194, 196, 197),
    ),
    "test": (
        *(54, 55, 57, 59, 60, 62, 63, 66, 150, 151, 152, 154, 155, 159, 160, 161, 163, 164, 165),
        *(166, 198, 199),
    ),
}
IMAGE_NUMBERS = (10, 11)

KINDS = ("NOISY", "GT", "METADATA")
EXAMPLE = "0001_001_S6_00100_00060_3200_L"


@dataclass(frozen=True)
class SiddImage:
    """One noisy image, its ground truth and its metadata.

    Attributes:
      instance, scene, camera, iso: of the folder's name.
      number: of the image within the instance.
      noisy, clean, metadata: paths of the three files, which may be missing.
    """

    instance: int
    scene: str
    camera: str
    iso: int
    number: int
    noisy: str
    clean: str
    metadata: str

    @property
    def name(self) -> str:
        """Names the image among all of SIDD."""
        return f"{self.instance:04d}_{self.number:03d}"


def find_instances(sidd_root: str | os.PathLike) -> dict[int, str]:
    """The folders of a SIDD tree.

    Args:
      sidd_root: SIDD_Medium_Raw, its folder Data, or the folder of the full data set's instances.

    Returns:
      Paths of the instances' folders by instance.

    Raises:
      FileNotFoundError: no such folder.
      ValueError: it holds no instances, or one twice.
    """
    sidd_root = os.fspath(sidd_root)
    if not os.path.isdir(sidd_root):
        raise FileNotFoundError(f"{sidd_root}: no such folder; expected a SIDD tree.")
    data = os.path.join(sidd_root, "Data")
    root = data if os.path.isdir(data) else sidd_root
    folders: dict[int, str] = {}
    for name in sorted(os.listdir(root)):
        path = os.path.join(root, name)
        if not (re.match(r"\d{4}_", name) and os.path.isdir(path)):
            continue
        other = folders.setdefault(int(name[:4]), path)
        if other != path:
            raise ValueError(f"expected one folder an instance, received {other} and {path}.")
    if not folders:
        raise ValueError(f"{root}: expected folders such as {EXAMPLE}, found none.")
    return folders


def images_of(folder: str, numbers: Iterable[int]) -> list[SiddImage]:
    """The images of an instance, in the medium or the full data set's layout.

    Args:
      folder: an instance's folder.
      numbers: which images: 10 and 11 are those of the medium data set.

    Returns:
      SiddImage of each number. Whether its files are there is not checked.

    Raises:
      ValueError: the folder's name is not understood, or names an unknown camera or the ISO 0.
    """
    name = os.path.basename(folder)
    match = re.fullmatch(r"(\d{4})_(\d{3})_([^_]+)_(\d{5})_(\d+)_(\d+)_([A-Z])", name)
    if not match:
        raise ValueError(f"{folder}: expected a folder's name such as {EXAMPLE}.")
    if int(match[4]) == 0:
        raise ValueError(
            f"{folder}: expected a positive ISO in the folder's name (such as {EXAMPLE}), received "
            f"{match[4]}."
        )
    if match[3] not in CAMERA_MAKES:
        raise ValueError(
            f"{folder}: expected a camera among {list(CAMERA_MAKES)}, received {match[3]!r}."
        )

    def path_of(kind: str, number: int) -> str:
        file = f"{match[1]}_{kind}_RAW_{number:03d}.MAT"
        subfolder = os.path.join(folder, f"{match[1]}_{kind}_RAW")
        return os.path.join(subfolder if os.path.isdir(subfolder) else folder, file)

    return [
        SiddImage(
            int(match[1]),
            match[2],
            match[3],
            int(match[4]),
            number,
            *(path_of(kind, number) for kind in KINDS),
        )
        for number in numbers
    ]
