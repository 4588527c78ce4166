"""One job, run to its end and killed on its way there."""

from __future__ import annotations

import math
import pathlib
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tests.kills.contents import contents, differences, faults, temporary
from tests.kills.jobs import Job
from tests.scripts import run, run_killed

# How often a run that goes on is killed once more.
AGAIN = 0.25


@dataclass
class Outcomes:
    """Of the kills of one job.

    Attributes:
      seconds: of the shortest uninterrupted run.
      kills: those that hit; too_late: the job had ended. again: of the kills, those of a run that
        went on from a kill.
      left: kills after which there were files of names that nobody reads, as of `written_beside`.
      torn, failed, other: kills after which a file was neither whole nor absent, the same command
        failed, or it ended with other files than the uninterrupted run.
      texts: of the bad ones.
    """

    seconds: float = math.inf
    kills: int = 0
    too_late: int = 0
    again: int = 0
    left: int = 0
    torn: int = 0
    failed: int = 0
    other: int = 0
    texts: list[str] = field(default_factory=list)

    @property
    def bad(self) -> int:
        """How many must not be."""
        return self.torn + self.failed + self.other


class Trials:
    """Kills of a job.

    Args:
      job: the command. inputs: of `make_inputs`. outputs: a folder that is made and removed.
      generator: draws the times.

    Raises:
      RuntimeError: the job fails, or two uninterrupted runs differ.
    """

    def __init__(
        self,
        job: Job,
        inputs: pathlib.Path,
        outputs: pathlib.Path,
        generator: np.random.Generator,
    ):
        self._job, self._inputs, self._outputs = job, inputs, outputs
        self._generator = generator
        self.outcomes = Outcomes()
        # The second has files and memory warm, as those that are killed have.
        self._whole = self._uninterrupted()
        other = differences(self._uninterrupted(), self._whole)
        if other:
            raise RuntimeError(f"{job.script}: two uninterrupted runs differ: {'; '.join(other)}")

    @property
    def _flags(self) -> dict[str, str]:
        return self._job.given(self._inputs, self._outputs)

    def _uninterrupted(self) -> dict[str, str]:
        shutil.rmtree(self._outputs, ignore_errors=True)
        done = self._timed(run)
        if done.returncode:
            raise RuntimeError(f"{self._job.script}: {done.stderr}")
        return contents(self._outputs)

    def _timed(self, run_job: Callable, *arguments: float) -> subprocess.CompletedProcess:
        """Runs the job in an empty folder; one that ends tells how short it can be.

        On a busy machine one run takes twice as long as another, and of times over the longer one's
        duration half would come after the shorter one's end.
        """
        begin = time.perf_counter()
        done = run_job(self._job.script, *arguments, **self._flags)
        if done.returncode == 0:
            self.outcomes.seconds = min(self.outcomes.seconds, time.perf_counter() - begin)
        return done

    def kill(self) -> bool:
        """Kills one run, perhaps the one after it too, and lets the next come to its end.

        Returns:
          Whether a kill hit.
        """
        shutil.rmtree(self._outputs, ignore_errors=True)
        outcomes, kills = self.outcomes, 0
        times = []
        while not kills or self._generator.random() < AGAIN:
            times.append(self._generator.uniform(0, outcomes.seconds))
            if kills:
                done = run_killed(self._job.script, times[-1], **self._flags)
            else:
                done = self._timed(run_killed, times[-1])
            if done.returncode != -signal.SIGKILL:
                outcomes.too_late += not kills
                break
            kills += 1
            self._note("torn", times, faults(self._outputs, self._whole))
            outcomes.left += bool(temporary(self._outputs))
        outcomes.kills += kills
        outcomes.again += max(0, kills - 1)
        done = run(self._job.script, **self._flags)
        if done.returncode:
            self._note("failed", times, [done.stderr[-600:]])
        else:
            self._note("other", times, differences(contents(self._outputs), self._whole))
        return bool(kills)

    def _note(self, kind: str, times: list[float], found: list[str]) -> None:
        if found:
            setattr(self.outcomes, kind, getattr(self.outcomes, kind) + 1)
            when = ", ".join(f"{t:.3f}" for t in times)
            self.outcomes.texts.append(
                f"{self._job.script}, killed after {when} of {self.outcomes.seconds:.3f} s, "
                f"{kind}: {'; '.join(found)}"
            )
