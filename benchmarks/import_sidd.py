"""Megapixels a second and peak memory of importing SIDD, on files of its form.

    python -m benchmarks.import_sidd [--images=4] [--height=3000] [--width=5328]

Images of 16 megapixels with ground truth, MATLAB 7.3 files compressed as MATLAB does; a megapixel
is one of the noisy image. Every line is a fresh process; files are in the system's cache.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import pathlib
import resource
import tempfile
import time

from absl import app, flags

FLAGS = flags.FLAGS

flags.DEFINE_integer("images", 4, "Images, each with its ground truth.", lower_bound=1)
flags.DEFINE_integer("height", 3000, "Of an image.", lower_bound=64)
flags.DEFINE_integer("width", 5328, "Of an image.", lower_bound=64)
flags.DEFINE_list("processes", ["1", "2"], "Images at a time, a line each.")

INSTANCE = 4


def write_tree(root: str, images: int, shape: tuple[int, int]) -> None:
    from tests.sidd import sidd_form

    sidd_form.write_instance(
        pathlib.Path(root), INSTANCE, camera="S6", iso=100, numbers=range(images), shape=shape
    )


def timed_import(root: str, images: int, storage: str, processes: int) -> dict[str, float]:
    """Seconds, of the processor too, and GB of the process before it began and at its peak."""
    from tfp_noiseflow.sidd.images import Patches
    from tfp_noiseflow.sidd.import_sidd import import_sidd

    before = _peak()
    # The processes are started and have imported what they need before the clock runs.
    for name, numbers in (("start", range(min(images, processes))), ("import", range(images))):
        with tempfile.TemporaryDirectory() as output:
            start, cpu_start = time.perf_counter(), time.process_time()
            import_sidd(
                root,
                f"{output}/{name}",
                splits={"train": (INSTANCE,)},
                image_numbers=list(numbers),
                patches=Patches(storage=storage),
                processes=processes,
            )
            seconds = time.perf_counter() - start
            cpu_seconds = time.process_time() - cpu_start
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "before": before, "peak": _peak()}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def in_fresh_process(function, *arguments):
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        return executor.submit(function, *arguments).result()


def main(argv: list[str]) -> None:
    del argv
    megapixels = FLAGS.images * FLAGS.height * FLAGS.width / 1e6
    with tempfile.TemporaryDirectory() as root:
        in_fresh_process(write_tree, root, FLAGS.images, (FLAGS.height, FLAGS.width))
        size = sum(path.stat().st_size for path in pathlib.Path(root).rglob("*_RAW_*.MAT"))
        print(f"{FLAGS.images} images, {megapixels:.0f} megapixels, {size / 1e9:.3f} GB of files")
        for storage in ("uint16", "float32"):
            for processes in map(int, FLAGS.processes):
                found = in_fresh_process(timed_import, root, FLAGS.images, storage, processes)
                details = ""
                if processes == 1:
                    details = (
                        f" ({megapixels / found['cpu_seconds']:.1f} a processor second), peak "
                        f"memory {found['peak']:.3f} GB, of which {found['before']:.3f} GB before "
                        "it began"
                    )
                print(
                    f"{storage}, {processes} processes: "
                    f"{megapixels / found['seconds']:.1f} megapixels/s{details}",
                    flush=True,
                )


if __name__ == "__main__":
    app.run(main)
