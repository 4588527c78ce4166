"""A SIDD tree into capture files, one for each split.

Every image becomes a capture file of its own in `parts/`, written whole or not at all, by several
processes; then the parts of a split are joined. An import that was stopped goes on with the parts
that are missing. `import.json` says what was imported and how; it is also what keeps an import
from going on in the folder of another: one with other settings, or of other files.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import h5py

from tfp_noiseflow.atomic_write import remove_partials, write_json
from tfp_noiseflow.captures.capture_file import CaptureWriter
from tfp_noiseflow.sidd.images import (
    LICENCE,
    ORIGIN,
    STORAGES,
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

RECORD = "import.json"
PARTS = "parts"

# What import.json holds, and what each of its files.
RECORD_KEYS = ("settings", "fingerprints", "files")
SUMMARY_KEYS = ("captures", "images", "floored_nlf", "other_isos", "missing_instances", "bad")

# A damaged file is one of these two; what else goes wrong stops an import in any case.
FAULTS = (FileNotFoundError, ValueError)

# How they are left out, for callers of the function and of the command.
SKIP = "skip_bad=True, or --on_bad_file=skip,"

# Of names in a message.
LONGEST_LIST = 10


@dataclass
class SplitPlan:
    """What a split will hold, before any pixel is read.

    Attributes:
      name: of the split and of its file.
      images: in the order of the file.
      bad: name of an image, or of a folder whose name is not understood, to what is wrong with it.
      missing: instances of the split that the tree does not hold.
      other_isos: the number of images at an ISO that is not asked for.
      patches, bytes: of the file; without compression.
    """

    name: str
    images: list[CheckedImage]
    bad: dict[str, str]
    missing: list[int]
    other_isos: int
    patches: int
    bytes: int

    @property
    def fingerprints(self) -> dict[str, str]:
        """By image name."""
        return {checked.image.name: checked.fingerprint for checked in self.images}


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
      output_dir: where `<split>.h5` and import.json go. Where an import with the same arguments
        was stopped there, it goes on (also with other skip_bad or processes, or where the tree was
        moved); where it was complete, nothing is done, and the tree may be gone.
      splits: name to SIDD's instances; by default the paper's.
      image_numbers: which images of an instance.
      iso_levels: images at other ISOs are left out.
      patches: which patches of an image, and how they are stored.
      compression: None, "gzip" or "lzf".
      skip_bad: leave out damaged images and say so in the result; else they stop the import. A
        split that left images out is done again once they can be read, or without skip_bad.
      processes: images at a time, each some 0.3 GB; None: one a processor, 8 at most.
      on_plan: called with each split's plan before it is begun.
      on_progress: called with (split, images done, images to do) after each image; images whose
        parts are there are neither.
      on_joined: called with (split, parts joined, parts) before the first part and after each.

    Returns:
      The content of import.json: `settings`, `fingerprints` of the images of each split, and for
      each of `files` its `captures`, `images`, `floored_nlf` (images whose beta2 was 0 or less),
      `other_isos`, `missing_instances` and `bad` (name of the image or its folder to reason).

    Raises:
      FileNotFoundError: no sidd_root.
      ValueError: damaged images, which are named; a split without images, or an instance that is
        in two; an output_dir that holds another import, one of other files, or an import.json that
        is none of these.
      OSError: the disk is full, or is too small for what is planned; a file that may not be read,
        or cannot be for another reason than its content, which says nothing of the file.
    """
    _check_disjoint(splits)
    settings = {
        "splits": {name: list(instances) for name, instances in splits.items()},
        "image_numbers": list(image_numbers),
        "iso_levels": list(iso_levels),
        "compression": compression,
        **asdict(patches),
    }
    record = _claim(output_dir, settings)
    is_done = all(
        name in record["files"] and (skip_bad or not record["files"][name]["bad"])
        for name in splits
    )
    if is_done and not os.path.isdir(sidd_root):
        return record
    instances = find_instances(sidd_root)
    plans = [
        _plan(name, instances, splits[name], image_numbers, iso_levels, patches) for name in splits
    ]
    _check_fingerprints(output_dir, record, plans)
    plans = [plan for plan in plans if _is_to_do(plan, output_dir, record, skip_bad)]
    if not plans:
        return record
    if not skip_bad:
        _refuse({name: reason for plan in plans for name, reason in plan.bad.items()})
    for plan in plans:
        if not plan.images:
            raise ValueError(
                f"{sidd_root}: expected images of the split {plan.name!r}, instances "
                f"{settings['splits'][plan.name]} at ISO {settings['iso_levels']}, found none "
                f"({len(plan.bad)} are damaged)."
            )
    os.makedirs(output_dir, exist_ok=True)
    if compression is None:
        _check_space(output_dir, plans)
    for plan in plans:
        record["files"].pop(plan.name, None)
        # Those of earlier runs stay, their parts may be there.
        record["fingerprints"].setdefault(plan.name, {}).update(plan.fingerprints)
    write_json(os.path.join(output_dir, RECORD), record)
    for plan in plans:
        if on_plan is not None:
            on_plan(plan)
        parts = _make_parts(
            plan, output_dir, patches, compression, skip_bad, processes, on_progress
        )
        path = os.path.join(output_dir, f"{plan.name}.h5")
        remove_partials(path)
        captures = _join(parts, path, patches, compression, plan.name, on_joined)
        record["files"][plan.name] = {
            "captures": captures,
            "images": len(parts),
            "floored_nlf": sum(checked.metadata.is_floored for checked in parts),
            "other_isos": plan.other_isos,
            "missing_instances": plan.missing,
            "bad": plan.bad,
        }
        record["fingerprints"][plan.name] = plan.fingerprints
        write_json(os.path.join(output_dir, RECORD), record)
        shutil.rmtree(os.path.join(output_dir, PARTS, plan.name))
    with contextlib.suppress(OSError):
        os.rmdir(os.path.join(output_dir, PARTS))
    return record


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


def _claim(output_dir, settings: dict) -> dict:
    """The record of an import with these settings in a folder, begun or new."""
    path = os.path.join(output_dir, RECORD)
    if not os.path.exists(path):
        return {"settings": settings, "fingerprints": {}, "files": {}}
    record = _read_record(path)
    found = record["settings"]
    faults = "; ".join(
        f"{name}: expected {value}, found {found.get(name)}"
        for name, value in settings.items()
        if found.get(name) != value
    )
    if faults:
        raise ValueError(f"{output_dir} holds an import with other settings ({faults}).")
    record["files"] = {
        name: summary
        for name, summary in record["files"].items()
        if os.path.exists(os.path.join(output_dir, f"{name}.h5"))
    }
    return record


def _read_record(path: str) -> dict:
    expected = f"{path}: expected the record of an import (to begin anew, remove its folder)"
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    except ValueError as error:
        raise ValueError(f"{expected}, but it is not JSON; it is damaged ({error}).") from error
    if not _has_mappings(record, RECORD_KEYS):
        found = sorted(record) if isinstance(record, dict) else type(record).__name__
        raise ValueError(f"{expected} with {list(RECORD_KEYS)}, found {found}.")
    for name, summary in record["files"].items():
        if not (_has_mappings(summary, ["bad"]) and set(SUMMARY_KEYS) <= set(summary)):
            raise ValueError(f"{expected}, with {list(SUMMARY_KEYS)} of {name}, found {summary}.")
        if not _has_mappings(record["fingerprints"], [name]):
            raise ValueError(f"{expected}, with the fingerprints of {name}, found none.")
    return record


def _has_mappings(value, keys: Iterable[str]) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), dict) for key in keys)


def _check_fingerprints(output_dir, record: dict, plans: Iterable[SplitPlan]) -> None:
    """Raises ValueError where a file or a part is of other files than those of the tree."""
    faults = []
    for plan in plans:
        imported = record["fingerprints"].get(plan.name, {})
        in_file = _images_in_file(plan.name, record)
        for name, found in plan.fingerprints.items():
            is_there = name in in_file or os.path.exists(_part(output_dir, plan.name, name))
            if is_there and imported.get(name) != found:
                faults.append(
                    f"{name}: expected the fingerprint {imported.get(name)}, found {found}"
                )
    if faults:
        raise ValueError(
            f"{output_dir} holds an import of other files; these images are not those that were "
            f"imported:\n{_shortened(faults)}"
        )


def _images_in_file(split: str, record: dict) -> set[str]:
    """Names of the images in a file that is complete."""
    summary = record["files"].get(split)
    return set(record["fingerprints"][split]) - set(summary["bad"]) if summary else set()


def _is_to_do(plan: SplitPlan, output_dir, record: dict, skip_bad: bool) -> bool:
    """Whether a split is to be written: it is not there, or left out images that can be had now."""
    summary = record["files"].get(plan.name)
    if summary is None:
        return True
    if not summary["bad"]:
        return False
    # The tree may have been thinned out since: what the file holds is not given up.
    lost = _images_in_file(plan.name, record) - set(plan.fingerprints)
    if skip_bad:
        known = record["fingerprints"][plan.name]  # Also of images whose pixels are damaged.
        is_repaired = any(known.get(name) != found for name, found in plan.fingerprints.items())
        return is_repaired and not lost
    if lost - set(plan.bad):
        raise ValueError(
            f"{os.path.join(output_dir, plan.name)}.h5 left out images that could not be read "
            f"({SKIP} keeps it so). To write it again, expected all images that it holds, the "
            f"tree lacks:\n{_shortened(sorted(lost - set(plan.bad)))}"
        )
    return True


def _part(output_dir, split: str, image: str) -> str:
    return os.path.join(output_dir, PARTS, split, f"{image}.h5")


def _plan(
    name: str,
    folders: Mapping[int, str],
    instances: Iterable[int],
    image_numbers: Sequence[int],
    iso_levels: Sequence[float],
    patches: Patches,
) -> SplitPlan:
    plan = SplitPlan(name, [], {}, [], 0, 0, 0)
    for instance in instances:
        if instance not in folders:
            plan.missing.append(instance)
            continue
        try:
            images = images_of(folders[instance], image_numbers)
        except ValueError as fault:
            plan.bad[os.path.basename(folders[instance])] = str(fault)
            continue
        for image in images:
            if image.iso not in iso_levels:
                plan.other_isos += 1
                continue
            try:
                checked = check_image(image)
            except FAULTS as fault:
                plan.bad[image.name] = str(fault)
                continue
            plan.images.append(checked)
            plan.patches += len(patches.corners(checked.shape, image))
    plan.bytes = plan.patches * patches.bytes_per_patch
    return plan


def _refuse(bad: Mapping[str, str]) -> None:
    if bad:
        raise ValueError(
            f"{len(bad)} images cannot be read ({SKIP} leaves them out):\n"
            + _shortened(list(bad.values()))
        )


def _shortened(lines: Sequence[str]) -> str:
    more = [f"and {len(lines) - LONGEST_LIST} more"] if len(lines) > LONGEST_LIST else []
    return "\n".join([*lines[:LONGEST_LIST], *more])


def _check_space(output_dir, plans: Iterable[SplitPlan]) -> None:
    """Raises OSError where the parts and the joined files will not fit on the disk."""
    needed = written = 0
    for plan in plans:
        # While a split is joined, its parts are there too.
        needed = max(needed, written + 2 * plan.bytes)
        written += plan.bytes
    there = sum(
        os.path.getsize(os.path.join(folder, file))
        for folder, _, files in os.walk(os.path.join(output_dir, PARTS))
        for file in files
    )
    free = shutil.disk_usage(output_dir).free
    if needed - there > free:
        raise OSError(
            errno.ENOSPC,
            f"expected {(needed - there) / 1e9:.3f} GB of free disk for {written / 1e9:.3f} GB of "
            f"captures and their parts, received {free / 1e9:.3f} GB",
            os.fspath(output_dir),
        )


def _make_parts(
    plan: SplitPlan, output_dir, patches, compression, skip_bad, processes, on_progress
) -> dict[CheckedImage, str]:
    """The parts of a split by image, in its order; images that turn out bad go to `plan.bad`."""
    parts = {checked: _part(output_dir, plan.name, checked.image.name) for checked in plan.images}
    waiting = [checked for checked, path in parts.items() if not os.path.exists(path)]
    jobs = [(checked, patches, parts[checked], compression) for checked in waiting]
    for done, (checked, fault) in enumerate(_in_processes(jobs, processes), start=1):
        if fault is not None:
            if not skip_bad:
                _refuse({checked.image.name: fault})
            plan.bad[checked.image.name] = fault
            del parts[checked]
        if on_progress is not None:
            on_progress(plan.name, done, len(jobs))
    if not parts:
        raise ValueError(f"{plan.name}: expected images that can be read, all are damaged.")
    return parts


def _in_processes(jobs: list, processes: int | None) -> Iterator[tuple[CheckedImage, str | None]]:
    """Each job's image and what was wrong with it, as they are done."""
    processes = min(processes or min(os.cpu_count() or 1, 8), len(jobs))
    if processes <= 1:
        yield from map(_write_part, jobs)
        return
    # A forked process must not have threads at work in it, which TensorFlow starts; a server that
    # has imported this module alone forks safely, and its processes share what it imported.
    has_server = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if has_server else "spawn")
    if has_server:
        context.set_forkserver_preload([__name__])
    with concurrent.futures.ProcessPoolExecutor(processes, mp_context=context) as executor:
        futures = [executor.submit(_write_part, job) for job in jobs]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        finally:
            executor.shutdown(cancel_futures=True)


def _write_part(job) -> tuple[CheckedImage, str | None]:
    checked, patches, path, compression = job
    try:
        arrays = patches_of(checked, patches)
    except FAULTS as fault:
        return checked, str(fault)
    with CaptureWriter(path, compression=compression, **_levels(patches)) as writer:
        writer.append(**arrays)
    return checked, None


def _join(
    parts: Mapping[CheckedImage, str],
    path: str,
    patches: Patches,
    compression,
    split: str,
    on_joined: Callable[[str, int, int], None] | None,
) -> int:
    """Writes the captures of all parts to one file; returns their number."""
    count = 0
    description = (
        f"SIDD raw, {split} split, {len(parts)} images, at most {patches.patches_per_image} "
        f"patches an image ({patches.sampling}), packed R, Gr, Gb, B by the CFA, clipped to [0, 1]."
    )
    with CaptureWriter(
        path,
        description=description,
        origin=ORIGIN,
        licence=LICENCE,
        compression=compression,
        **_levels(patches),
    ) as writer:
        if on_joined is not None:
            on_joined(split, 0, len(parts))
        for done, part in enumerate(parts.values(), start=1):
            with h5py.File(part, "r") as file:
                writer.append(**{name: file[name][()] for name in file})
                count += len(file["iso"])
            if on_joined is not None:
                on_joined(split, done, len(parts))
    return count


def _levels(patches: Patches) -> dict[str, float]:
    storage = STORAGES[patches.storage]
    return {
        "white_level": storage.white_level,
        "quantization_step": storage.quantization_step,
    }
