"""How far a long job is, for people: a bar on a terminal, lines in a log."""

from __future__ import annotations

import sys

from tqdm import tqdm

# Seconds before anything is shown, and between two lines of a log.
DELAY = 2.0
LOG_INTERVAL = 30.0


class _Lines(tqdm):
    """The same as lines of text, where no terminal can draw a bar over itself."""

    def display(self, msg=None, pos=None):
        # Without a bar there is none to be removed, by an empty message.
        if self.n and msg != "":
            print(msg or str(self), file=self.fp, flush=True)


class Progress:
    """Shows how far a job is and the time left; called with what is done and what there is to do.

    ```python
    with Progress("patches") as progress:
        measure(model, captures, on_progress=progress)
    ```

    On a terminal it is a bar, which goes when the job ends. Elsewhere it is a line every half
    minute. A job of less than two seconds shows nothing.

    Args:
      unit: what is counted, plural.
      title: of the job, before the bar.
      is_shown: False: nothing is shown.
    """

    def __init__(self, unit: str, title: str = "", *, is_shown: bool = True):
        is_terminal = sys.stderr.isatty()
        self._has_begun = False
        self._bar = (tqdm if is_terminal else _Lines)(
            total=0,
            desc=f"{title}: " if title else None,
            unit=f" {unit}",
            file=sys.stderr,
            leave=False,
            # The time left is by the mean speed.
            smoothing=0,
            delay=DELAY,
            # Every call is looked at, and shown when so much time has gone.
            miniters=1,
            mininterval=0.2 if is_terminal else LOG_INTERVAL,
            dynamic_ncols=True,
            bar_format=None
            if is_terminal
            else "{desc}{n_fmt} of {total_fmt}{unit}, {remaining} left{postfix}",
            disable=not is_shown,
        )

    def __call__(self, done: int, total: int, text: str = "") -> None:
        """Shows that `done` of `total` are done.

        Args:
          done, total: may be more than at the call before, or fewer: then a new job has begun.
          text: what is at work, or how good it is, behind the bar.
        """
        if self._bar.disable:
            return
        if not self._has_begun or done < self._bar.n:
            self._has_begun = True
            # The first part takes longer than the others, for functions are traced in it: the time
            # left is that of the parts behind it.
            last_shown = self._bar.last_print_t
            self._bar.reset(total)
            self._bar.initial, self._bar.last_print_t = done, last_shown
        self._bar.total = total
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Removes the bar."""
        self._bar.close()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_) -> None:
        self.close()
