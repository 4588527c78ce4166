"""DNG files without pixels, as cameras write them.

The ISO stands in the EXIF directory and the NoiseProfile in the first directory or in that of the
raw image below it.
"""

import struct

ASCII, SHORT, LONG, DOUBLE = 2, 3, 4, 12
FORMATS = {ASCII: "B", SHORT: "H", LONG: "I", DOUBLE: "d"}


def directory(tags, offset):
    """The bytes of a directory at an offset: its tags (code, type, values), then long values."""
    entries, long_values = b"", b""
    after = offset + 2 + 12 * len(tags) + 4
    for code, kind, values in sorted(tags):
        content = struct.pack(f"<{len(values)}{FORMATS[kind]}", *values)
        if len(content) > 4:
            where = struct.pack("<I", after + len(long_values))
            long_values += content
        else:
            where = content.ljust(4, b"\0")
        entries += struct.pack("<HHI", code, kind, len(values)) + where
    return struct.pack("<H", len(tags)) + entries + b"\0" * 4 + long_values


def write_dng(path, profile, iso=(), camera="Simulated", is_below=True):
    """Writes one.

    Args:
      path: where. profile: the numbers of the NoiseProfile; None: no tag.
      iso: {tag: values} of the EXIF directory, or one ISO.
      camera: of UniqueCameraModel. is_below: the raw image is not the first.
    """
    isos = iso if isinstance(iso, dict) else {34855: [iso]}
    exif = directory([(code, SHORT if code == 34855 else LONG, v) for code, v in isos.items()], 8)
    noise = [] if profile is None else [(51041, DOUBLE, list(profile))]
    raw_at = 8 + len(exif)
    raw = directory([(256, SHORT, [2]), (257, SHORT, [2]), *(noise if is_below else [])], raw_at)
    first_at = raw_at + len(raw)
    first = [
        (256, SHORT, [1]),
        (257, SHORT, [1]),
        (330, LONG, [raw_at]),
        (34665, LONG, [8]),
        (50706, SHORT, [1, 4]),
        (50708, ASCII, [*camera.encode(), 0]),
        *([] if is_below else noise),
    ]
    content = struct.pack("<2sHI", b"II", 42, first_at) + exif + raw + directory(first, first_at)
    path.write_bytes(content)
    return path
