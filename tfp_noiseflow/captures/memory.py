"""How much memory there is for captures."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess

import tensorflow as tf


def available_memory() -> int | None:
    """Bytes that can be had without swapping; None where the system does not say."""
    with contextlib.suppress(OSError), open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return None


def free_device_memory() -> int:
    """Bytes of the first GPU that are free; 0 without one, or where it is not told."""
    tool = shutil.which("nvidia-smi")
    if tool is None or not tf.config.list_physical_devices("GPU"):
        return 0
    # The GPU that TensorFlow sees first.
    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    query = [tool, f"--id={shown}", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        text = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
        return int(text.split()[0]) << 20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return 0
