"""What a report says in words, and the page that a browser opens."""

import re

import numpy as np
import pytest

import tfp_noiseflow as nf
from tfp_noiseflow.evaluation import measure
from tfp_noiseflow.reporting import write_report
from tfp_noiseflow.reporting.html import html
from tfp_noiseflow.reporting.markdown import markdown

DEVIATION = 0.02


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    rng = np.random.default_rng(0)
    clean = rng.uniform(0.01, 0.5, [48, 16, 16, 4])
    path = tmp_path_factory.mktemp("captures") / "small.h5"
    noisy = clean + rng.normal(0, DEVIATION, clean.shape)
    nf.write_captures(path, noisy, clean, iso=np.tile([100.0, 800.0], 24), camera="Mine")
    return nf.read_captures(path)


def measured(captures, deviation, baseline):
    return measure(
        nf.GaussianNoise(deviation), captures, baselines={"gaussian": nf.GaussianNoise(baseline)}
    )


def verdict_of(measurement):
    return markdown(measurement.report).split("## ")[0]


def test_a_right_model_is_called_right(captures):
    text = verdict_of(measured(captures, DEVIATION, 3 * DEVIATION))
    assert "It is better than every baseline; the next best, Gaussian, by" in text
    assert "Its strength is right" in text
    assert "Tails, rows and neighbours are those of captured noise, up to chance." in text


def test_a_wrong_model_is_told_with_what_to_use_instead(captures):
    text = verdict_of(measured(captures, 1.5 * DEVIATION, DEVIATION))
    assert "**Use Gaussian instead**" in text
    assert "**Its strength is wrong in places**: the standard deviation is within 5% " in text
    assert re.search(r"farthest off \+[45]\d%", text)


def test_two_that_are_alike_are_told_so(captures):
    text = verdict_of(measured(captures, DEVIATION, DEVIATION))
    assert "Gaussian is as good, to 0.0000 ± 0.0000" in text


def test_structure_that_is_not_there_is_told(tmp_path):
    rng = np.random.default_rng(0)
    clean = rng.uniform(0.1, 0.5, [480, 8, 8, 4])
    rows = rng.normal(0, 0.5 * DEVIATION, [480, 8, 1, 1])
    noisy = clean + rng.normal(0, DEVIATION, clean.shape) + rows
    isos = np.tile(np.arange(1, 31) * 100.0, 16)
    nf.write_captures(tmp_path / "c.h5", noisy, clean, iso=isos, camera="Mine")
    text = verdict_of(measured(nf.read_captures(tmp_path / "c.h5"), 1.1 * DEVIATION, DEVIATION))
    assert re.search(r"\*\*Not that of captured noise\*\*: .*row variance.* \(at \d+ of 30", text)


def test_the_page_needs_no_other_file(captures, tmp_path):
    paths = write_report(measured(captures, DEVIATION, 3 * DEVIATION), tmp_path)
    assert str(tmp_path / "report.html") in paths
    page = (tmp_path / "report.html").read_text()
    assert set(re.findall(r'(?:src|href)="([a-z]+:)', page)) == {"data:"}
    assert page.count("data:image/png;base64,") == len(list(tmp_path.glob("*.png")))
    assert "<details><summary>By camera and ISO</summary>" in page
    assert page.count("<details>") == page.count("</details>") == 2
    assert '<td class="worst">' in page and "<table>" in page
    # The verdict comes before the first table.
    assert page.index("Its strength is right") < page.index("<table>")


def test_text_of_captures_is_shown_as_text(tmp_path):
    text = "# A\n\n| camera |\n|---|\n| a < b & c |\n"
    assert "a &lt; b &amp; c" in html(text, tmp_path)


@pytest.mark.parametrize("largest", [1e-5, 0.02, None])
def test_weights_that_float32_is_too_coarse_for_are_told(captures, largest):
    measurement = measured(captures, DEVIATION, 1.5 * DEVIATION)
    found = measurement.report["rounding"]
    # Of a scale: some roundings.
    assert 0 < found["sample"]["largest"] < 1e-5
    assert "float32" not in verdict_of(measurement)
    found["sample"]["largest"] = largest
    assert ("float32 is too coarse" in verdict_of(measurement)) == (largest != 1e-5)
