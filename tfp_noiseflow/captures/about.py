"""What captures are, as the JSON values by which a training knows its data again."""

from __future__ import annotations

import hashlib
import os

from tfp_noiseflow.captures.capture_file import Captures


def about_captures(captures: Captures) -> dict:
    """The identity of captures, and what a user of a model trained on them wants to know.

    Args:
      captures: N captures.

    Returns:
      JSON values: `file` (its name alone), `captures` (N), `digest` (of all conditions and of the
      first and the last images: other captures of the same name have another), `scenes` (sorted,
      each once; None where the file names none), `description`, `origin`, `licence`.
    """
    return {
        "file": os.path.basename(captures.path),
        "captures": len(captures),
        "digest": _digest(captures),
        "scenes": None if captures.scene is None else sorted({str(s) for s in captures.scene}),
        "description": captures.description,
        "origin": captures.origin,
        "licence": captures.licence,
    }


def _digest(captures: Captures) -> str:
    content = hashlib.sha256(captures.iso.tobytes())
    for texts in (captures.camera, captures.scene):
        if texts is not None:
            content.update("\0".join(texts).encode())
    # However a model takes them.
    captures = captures.dequantised(True)
    for start in (0, len(captures) - 1):
        block = captures.read(start, start + 1)
        content.update(block.clean.tobytes() + block.noise.tobytes())
    return content.hexdigest()[:16]
