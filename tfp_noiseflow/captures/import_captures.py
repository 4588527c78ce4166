"""A data set into capture files, one for each split.

Every image becomes a capture file of its own in `parts/`, written whole or not at all, by several
processes; then the parts of a split are joined. An import that was stopped goes on with the parts
that are missing.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import errno
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import h5py

from tfp_noiseflow.atomic_write import remove_partials, write_json
from tfp_noiseflow.captures.capture_file import CaptureWriter
from tfp_noiseflow.captures.import_record import (
    PARTS,
    RECORD,
    check_fingerprints,
    claim,
    images_in_file,
    part_of,
    shortened,
)
from tfp_noiseflow.captures.source import Source, SourceImage, SplitPlan

# A damaged file is one of these two; what else goes wrong stops an import in any case.
FAULTS = (FileNotFoundError, ValueError)


def import_captures(
    source: Source,
    output_dir: str | os.PathLike,
    *,
    skip_bad: bool = False,
    processes: int | None = None,
    on_plan: Callable[[SplitPlan], None] | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
    on_joined: Callable[[str, int, int], None] | None = None,
    how_to_skip: str = "skip_bad=True",
) -> dict:
    """Writes a capture file of each split of a source.

    All that the source can tell without reading pixels is checked before the first is read.

    Args:
      source: what is imported.
      output_dir: where `<split>.h5` and import.json go. Where an import with the same settings was
        stopped there, it goes on (also with other skip_bad or processes, or where the source was
        moved); where it was complete, nothing is done, and the source may be gone.
      skip_bad: leave out damaged images and say so in the result; else they stop the import. A
        split that left images out is done again once they can be read, or without skip_bad.
      processes: images at a time, each with the memory that reading one takes; None: one a
        processor, 8 at most.
      on_plan: called with each split's plan before it is begun.
      on_progress: called with (split, images done, images to do) after each image; images whose
        parts are there are neither.
      on_joined: called with (split, parts joined, parts) before the first part and after each.
      how_to_skip: names skip_bad in errors, for callers that have another name for it.

    Returns:
      The content of import.json: `settings`, `fingerprints` of the images of each split, and for
      each of `files` its `captures`, `images`, what the source records, and `bad` (name of the
      image, or of another part of the source, to reason).

    Raises:
      FileNotFoundError: no such source.
      ValueError: damaged images, which are named; a split without images, an image that is in two
        splits or twice in one; an output_dir that holds another import, one of other files, or an
        import.json that is none of these.
      OSError: the disk is full, or is too small for what is planned; a file that may not be read,
        or cannot be for another reason than its content, which says nothing of the file.
    """
    settings = json.loads(json.dumps(dict(source.settings), allow_nan=False))
    record = claim(output_dir, settings, source.summary_keys)
    is_done = all(
        name in record["files"] and (skip_bad or not record["files"][name]["bad"])
        for name in source.splits
    )
    if is_done and not os.path.exists(source.path):
        _remove_parts(output_dir, source.splits)
        return record
    plans = list(source.plans())
    _check_names(source, plans)
    check_fingerprints(output_dir, record, plans)
    plans = [plan for plan in plans if _is_to_do(plan, output_dir, record, skip_bad, how_to_skip)]
    _remove_parts(output_dir, {*source.splits} - {plan.name for plan in plans})
    if not plans:
        return record
    if not skip_bad:
        _refuse({n: reason for plan in plans for n, reason in plan.bad.items()}, how_to_skip)
    for plan in plans:
        if not plan.images:
            raise ValueError(
                f"{source.path}: expected images of the split {plan.name!r}"
                f"{plan.expected and ', '}{plan.expected}, found none ({len(plan.bad)} are "
                "damaged)."
            )
    os.makedirs(output_dir, exist_ok=True)
    _check_space(output_dir, source, plans)
    for plan in plans:
        record["files"].pop(plan.name, None)
        # Those of earlier runs stay, their parts may be there.
        record["fingerprints"].setdefault(plan.name, {}).update(plan.fingerprints)
    write_json(os.path.join(output_dir, RECORD), record)
    for plan in plans:
        if on_plan is not None:
            on_plan(plan)
        paths = {image.name: part_of(output_dir, plan.name, image.name) for image in plan.images}
        for name, fault in _make_parts(source, plan, paths, processes, on_progress):
            if not skip_bad:
                _refuse({name: fault}, how_to_skip)
            plan.bad[name] = fault
        images = [image for image in plan.images if image.name not in plan.bad]
        if not images:
            raise ValueError(f"{plan.name}: expected images that can be read, all are damaged.")
        path = os.path.join(output_dir, f"{plan.name}.h5")
        remove_partials(path)
        parts = [paths[image.name] for image in images]
        captures = _join(parts, path, source.writer_options(plan.name, len(parts)), plan, on_joined)
        record["files"][plan.name] = {
            "captures": captures,
            "images": len(images),
            **_summed(image.counts for image in images),
            **plan.about,
            "bad": plan.bad,
        }
        record["fingerprints"][plan.name] = plan.fingerprints
        write_json(os.path.join(output_dir, RECORD), record)
        _remove_parts(output_dir, [plan.name])
    return record


def _remove_parts(output_dir: str | os.PathLike, splits: Iterable[str]) -> None:
    """Removes the parts of splits that are whole, where an import has not come to it."""
    for split in splits:
        folder = os.path.join(output_dir, PARTS, split)
        if os.path.isdir(folder):
            shutil.rmtree(folder)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.join(output_dir, PARTS))


def _check_names(source: Source, plans: Sequence[SplitPlan]) -> None:
    """Raises ValueError for plans of other splits, or an image that is there twice."""
    if [plan.name for plan in plans] != list(source.splits):
        raise ValueError(
            f"{source.path}: expected a plan of each of the splits {list(source.splits)}, received "
            f"{[plan.name for plan in plans]}."
        )
    split_of: dict[str, str] = {}
    for plan in plans:
        for image in plan.images:
            if image.name in split_of:
                raise ValueError(
                    f"{source.path}: expected each image in one split, once; received "
                    f"{image.name!r} in {split_of[image.name]!r} and in {plan.name!r}."
                )
            split_of[image.name] = plan.name


def _is_to_do(
    plan: SplitPlan, output_dir: str | os.PathLike, record: dict, skip_bad: bool, how_to_skip: str
) -> bool:
    """Whether a split is to be written: it is not there, or left out images that can be had now."""
    summary = record["files"].get(plan.name)
    if summary is None:
        return True
    if not summary["bad"]:
        return False
    # The source may have been thinned out since: what the file holds is not given up.
    lost = images_in_file(plan.name, record) - set(plan.fingerprints)
    if skip_bad:
        known = record["fingerprints"][plan.name]  # Also of images whose pixels are damaged.
        is_repaired = any(known.get(name) != found for name, found in plan.fingerprints.items())
        return is_repaired and not lost
    if lost - set(plan.bad):
        raise ValueError(
            f"{os.path.join(output_dir, plan.name)}.h5 left out images that could not be read "
            f"({how_to_skip} keeps it so). To write it again, expected all images that it holds, "
            f"the source lacks:\n{shortened(sorted(lost - set(plan.bad)))}"
        )
    return True


def _refuse(bad: Mapping[str, str], how_to_skip: str) -> None:
    if bad:
        raise ValueError(
            f"{len(bad)} images cannot be read ({how_to_skip} leaves them out):\n"
            + shortened(list(bad.values()))
        )


def _check_space(output_dir: str | os.PathLike, source: Source, plans: Iterable[SplitPlan]) -> None:
    """Raises OSError where the parts and the joined files will not fit on the disk."""
    needed = written = 0
    for plan in plans:
        if source.writer_options(plan.name, len(plan.images)).get("compression") is not None:
            return  # How small they get is known when they are written.
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
    source: Source,
    plan: SplitPlan,
    paths: Mapping[str, str],
    processes: int | None,
    on_progress: Callable[[str, int, int], None] | None,
) -> Iterator[tuple[str, str]]:
    """Writes the parts that are missing; yields name and fault of each image that is damaged."""
    options = source.writer_options(plan.name, 1)
    jobs = [
        (source, image, paths[image.name], options)
        for image in plan.images
        if not os.path.exists(paths[image.name])
    ]
    for done, (name, fault) in enumerate(_in_processes(jobs, processes), start=1):
        if fault is not None:
            yield name, fault
        if on_progress is not None:
            on_progress(plan.name, done, len(jobs))


def _in_processes(jobs: list, processes: int | None) -> Iterator[tuple[str, str | None]]:
    """Each job's image and what was wrong with it, as they are done."""
    processes = min(processes or min(os.cpu_count() or 1, 8), len(jobs))
    if processes <= 1:
        yield from map(_write_part, jobs)
        return
    # A forked process must not have threads at work in it, which TensorFlow starts; a server that
    # has imported this module and the source's alone forks safely, and its processes share what it
    # imported.
    has_server = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if has_server else "spawn")
    if has_server:
        context.set_forkserver_preload([__name__, type(jobs[0][0]).__module__])
    with concurrent.futures.ProcessPoolExecutor(processes, mp_context=context) as executor:
        futures = [executor.submit(_write_part, job) for job in jobs]
        try:
            for future in concurrent.futures.as_completed(futures):
                yield future.result()
        finally:
            executor.shutdown(cancel_futures=True)


def _write_part(job: tuple[Source, SourceImage, str, Mapping]) -> tuple[str, str | None]:
    source, image, path, options = job
    try:
        captures = source.read(image)
    except FAULTS as fault:
        return image.name, str(fault)
    with CaptureWriter(path, **options) as writer:
        writer.append(**captures)
    return image.name, None


def _join(
    parts: Sequence[str],
    path: str,
    options: Mapping,
    plan: SplitPlan,
    on_joined: Callable[[str, int, int], None] | None,
) -> int:
    """Writes the captures of all parts to one file; returns their number."""
    count = 0
    with CaptureWriter(path, **options) as writer:
        if on_joined is not None:
            on_joined(plan.name, 0, len(parts))
        for done, part in enumerate(parts, start=1):
            with h5py.File(part, "r") as file:
                writer.append(**{name: file[name][()] for name in file})
                count += len(file["iso"])
            if on_joined is not None:
                on_joined(plan.name, done, len(parts))
    return count


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: collections.Counter[str] = collections.Counter()
    for values in counts:
        total.update(values)
    return dict(total)
