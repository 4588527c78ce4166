"""Properties: what holds of any input, tried on many drawn ones, which are counted.

`make test` tries some 300 cases, `make test-all` some 10,000: the hypothesis profiles of
tests/conftest.py. A run ends with their count.
"""

from __future__ import annotations

import functools
import inspect

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

# Their sum over a run is told at its end, see tests/conftest.py.
COUNTED = "drawn cases"

# Of clean images: the ends of the range, both sides of them, and in between.
CLEAN = ("black", "white", "constant", "below black", "just above white", "of two values", "any")

seeds = st.integers(0, 2**31 - 1)
sizes = st.tuples(st.integers(1, 5), st.integers(1, 9))
# The ISOs of tests/registry.py, and those that no camera goes beyond.
levels = st.sampled_from((100.0, 400.0, 1600.0))
isos = st.one_of(levels, st.floats(25.0, 409600.0))
# What HDF5, CSV and JSON can hold; no file does with a lone half of a surrogate pair or a NUL.
names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12
)


def for_all(weight: float, **strategies):
    """Makes a test of one that takes drawn arguments.

    Args:
      weight: how many cases `make test` tries; `make test-all` many times as many.
      **strategies: of hypothesis, by argument. The test's other arguments are fixtures and
        parameters, as pytest gives them.
    """

    def decorate(test):
        @functools.wraps(test)
        def counted(record_property, **given_by_pytest):
            count = 0

            @settings(max_examples=max(1, round(weight * settings.default.max_examples)))
            @given(**strategies)
            def each(**drawn):
                nonlocal count
                count += 1
                test(**drawn, **given_by_pytest)

            each()
            record_property(COUNTED, count)

        # From its signature pytest takes what it has to give.
        arguments = [
            argument.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for name, argument in inspect.signature(test).parameters.items()
            if name not in strategies and argument.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        own = inspect.Parameter("record_property", inspect.Parameter.KEYWORD_ONLY)
        counted.__signature__ = inspect.Signature([own, *arguments])
        return counted

    return decorate


def clean_images(kind: str, shape, generator: np.random.Generator) -> np.ndarray:
    """Clean images of a kind of CLEAN, float64."""
    if kind == "any":
        return generator.uniform(-0.05, 1.0, shape)
    if kind == "of two values":
        return generator.choice(generator.uniform(0.0, 1.0, 2), shape)
    value = {
        "black": 0.0,
        "white": 1.0,
        "constant": generator.uniform(),
        "below black": -generator.uniform(0.0, 0.2),
        "just above white": 1.0009,
    }[kind]
    return np.full(shape, value)
