"""Which form a run of layers takes, the folded or the plain one: this is the place to change it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

FORMS = ("fastest", "folded", "plain")

_wanted = "fastest"


def is_folded() -> bool:
    """Whether layers that gain from the folded form take it, where their images' width allows it.

    The folded form is the fastest on CPUs, with XLA and without (`benchmarks.speed
    --forms=library,unfolded,compiled,compiled-unfolded`). On GPUs it was not measured.
    """
    return _wanted != "plain"


@contextlib.contextmanager
def wanted_form(form: str) -> Iterator[None]:
    """Whatever is traced or called eagerly within takes one form, in all threads: to compare them.

    Args:
      form: "folded", "plain", or "fastest", which is the default.

    Raises:
      ValueError: another form.
    """
    global _wanted
    if form not in FORMS:
        raise ValueError(f"expected a form among {list(FORMS)}, received {form!r}.")
    before, _wanted = _wanted, form
    try:
        yield
    finally:
        _wanted = before
