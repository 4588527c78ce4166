"""The ten pictures of the page on sensors are those that its script draws."""

import importlib.util
import re

import numpy as np
import pytest
from PIL import Image

from tests.documents import ROOT

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    spec = importlib.util.spec_from_file_location("pictures", DOCS / "pictures.py")
    pictures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(pictures)
    return {path.name: path for path in pictures.draw(tmp_path_factory.mktemp("pictures"))}


def test_the_page_shows_ten_pictures_in_the_order_in_which_they_are_drawn(drawn):
    page = (DOCS / "concepts" / "sensor.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\(\.\./pictures/(\S+)\)", page) == [*drawn]
    assert len(drawn) == 10
    assert {path.name for path in (DOCS / "pictures").iterdir()} == drawn.keys()


def test_pictures_are_small_and_those_of_the_checkout(drawn):
    for name, path in drawn.items():
        kept = DOCS / "pictures" / name
        assert kept.stat().st_size < 60_000, name
        new, old = (np.asarray(Image.open(p).convert("L"), np.float64) for p in (path, kept))
        assert new.shape == old.shape, name
        # Of 255; another processor's rounding may move a line by a part of a pixel.
        assert np.abs(new - old).mean() < 1, name
