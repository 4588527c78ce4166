"""How near two computations of one answer are: an export's and the model's in Python."""

from __future__ import annotations

import numpy as np

# TensorFlow joins and reorders operations of a graph, other ones on other processors: mostly the
# bits are the same, and where they are not the last one or two of the largest value differ
# (docs/performance.md, "Serving"). Answers of another seed, camera or row are 10^5 times as far
# apart.
ROUNDINGS = 4 * np.finfo(np.float32).eps


def assert_same(actual, expected, message="", size=0.0):
    """Asserts that two answers are equal but for a few roundings of float32.

    Args:
      actual, expected: arrays.
      message: of the error.
      size: of numbers that went into the answers and may be larger than they are.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    # An answer may be empty: what `describe` says of a model that was not trained.
    atol = ROUNDINGS * max(size, np.abs(expected).max(initial=0))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol, err_msg=str(message))
