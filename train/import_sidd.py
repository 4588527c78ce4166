"""Writes the captures of SIDD: train.h5 and test.h5, at the protocol of Noise Flow.

python -m train.import_sidd --sidd_root=SIDD_Medium_Raw --output_dir=O

Goes on where it was stopped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

import numpy as np
from absl import flags

from tfp_noiseflow.captures.capture_file import read_captures
from tfp_noiseflow.progress import Progress
from tfp_noiseflow.sidd.images import PATCHES_PER_IMAGE, SAMPLINGS, STEPS, STORAGES, Patches
from tfp_noiseflow.sidd.import_sidd import import_sidd
from tfp_noiseflow.sidd.layout import IMAGE_NUMBERS, ISO_LEVELS, SPLITS

from . import _command, _inputs

FLAGS = flags.FLAGS

flags.DEFINE_string("sidd_root", None, "SIDD_Medium_Raw, or the full data set.", required=True)
flags.DEFINE_string("output_dir", None, "Where the capture files go.", required=True)
flags.DEFINE_list("train_instances", list(map(str, SPLITS["train"])), "Instances of train.h5.")
flags.DEFINE_list("test_instances", list(map(str, SPLITS["test"])), "Instances of test.h5.")
flags.DEFINE_list("validation_instances", [], "Of validation.h5, which train.h5 then lacks.")
flags.DEFINE_list("image_numbers", list(map(str, IMAGE_NUMBERS)), "Which images of an instance.")
flags.DEFINE_list("iso_levels", list(map(str, ISO_LEVELS)), "Images at other ISOs are left out.")
flags.DEFINE_integer("patch_size", 32, "Side of a patch, in packed pixels.", lower_bound=1)
flags.DEFINE_integer(
    "patches_per_image", PATCHES_PER_IMAGE, "The most that are taken of an image.", lower_bound=1
)
flags.DEFINE_enum("sampling", "grid", SAMPLINGS, "Tiles in order, or random positions.")
flags.DEFINE_integer("seed", 0, "Of random positions.")
flags.DEFINE_enum("storage", "uint16", list(STORAGES), "16-bit codes are half the size.")
flags.DEFINE_enum(
    "steps",
    "camera",
    list(STEPS),
    "Whose codes the values are; of the storage's they count as continuous, as in the paper.",
)
flags.DEFINE_enum("compression", "none", ["none", "gzip", "lzf"], "Of the images in the files.")
flags.DEFINE_enum("on_bad_file", "stop", ["stop", "skip"], "Either way bad files are named.")
flags.DEFINE_integer(
    "processes", None, "Images at a time. Default: one a processor, 8 at most.", lower_bound=1
)
_inputs.exist("sidd_root")


def _steps(path: str, summary: Mapping) -> Iterator[str]:
    """Which codes each camera's captures hold, and why some hold none."""
    without = False
    with read_captures(path) as captures:
        for camera in captures.cameras:
            steps, counts = np.unique(
                captures.relative_steps[captures.camera == camera], return_counts=True
            )
            # 16 bits or float32: there is no such camera in the data set.
            is_storage = steps <= 1 / STORAGES["uint16"].white_level
            without |= bool(is_storage.any())
            yield f"{camera}: " + ", ".join(
                f"{count} captures " + ("without codes" if none else f"of codes of 1/{1 / step:g}")
                for step, count, none in zip(steps, counts, is_storage, strict=True)
            )
    if without and FLAGS.steps == "camera":
        yield (
            f"Without codes: of {summary['unknown_codes']} images the metadata do not tell white "
            "minus black; of others the values are no multiples of 1 / (white - black)."
        )


def main(argv: list[str]) -> None:
    del argv
    validation = [int(instance) for instance in FLAGS.validation_instances]
    splits = {
        "train": [int(i) for i in FLAGS.train_instances if int(i) not in validation],
        "validation": validation,
        "test": [int(instance) for instance in FLAGS.test_instances],
    }
    bars: dict[str, Progress] = {}

    def show_plan(plan):
        print(
            f"{plan.name}: {len(plan.images)} images, {plan.patches} patches, "
            f"{plan.bytes / 1e9:.3f} GB"
        )
        # Its clock starts here.
        bars[plan.name] = Progress("images", plan.name)

    def show_progress(split, done, total):
        bars[split](done, total)

    def show_joined(split, done, total):
        if done == 0:
            bars[split].close()
            bars[split] = Progress("images", f"{split}, joining to one file")
        bars[split](done, total)

    record = import_sidd(
        FLAGS.sidd_root,
        FLAGS.output_dir,
        splits={name: instances for name, instances in splits.items() if instances},
        image_numbers=[int(number) for number in FLAGS.image_numbers],
        iso_levels=[float(iso) for iso in FLAGS.iso_levels],
        patches=Patches(
            FLAGS.patch_size,
            FLAGS.patches_per_image,
            FLAGS.sampling,
            FLAGS.storage,
            FLAGS.seed,
            FLAGS.steps,
        ),
        compression=None if FLAGS.compression == "none" else FLAGS.compression,
        skip_bad=FLAGS.on_bad_file == "skip",
        processes=FLAGS.processes,
        on_plan=show_plan,
        on_progress=show_progress,
        on_joined=show_joined,
    )
    for bar in bars.values():
        bar.close()
    for name, summary in record["files"].items():
        path = os.path.join(FLAGS.output_dir, f"{name}.h5")
        print(
            f"{path}: {summary['captures']} captures of "
            f"{summary['images']} images; beta2 set to its floor in {summary['floored_nlf']}; "
            f"{summary['other_isos']} at other ISOs left out; instances that are not there: "
            f"{summary['missing_instances'] or 'none'}"
        )
        for line in _steps(path, summary):
            print(f"  {line}")
        for reason in summary["bad"].values():
            print(f"  left out: {reason}")
        if summary["bad"]:
            print("  Once they can be read, the same command writes the file again with them.")
    _command.advise("paper_experiment", captures=FLAGS.output_dir, output_dir="EXPERIMENT")


if __name__ == "__main__":
    _command.run(main, needs_tensorflow=False)
