"""The table and the picture of a comparison."""

import pytest
from matplotlib.text import Text

from tfp_noiseflow.reporting.comparison import comparison_text
from tfp_noiseflow.reporting.plots import likelihood_and_cost


def structure(horizontal):
    tails = [
        {"share": 1e-3, "absolute": 3.5, "lower": -3.1, "upper": 3.4},
        {"share": 1e-5, "absolute": None, "lower": None, "upper": None},
    ]
    return {
        "horizontal": horizontal,
        "vertical": 0.0,
        "row_correlation": None,
        "excess_kurtosis_given_clean": 0.25,
        "tails": tails,
    }


def row(name, nll, milliseconds, is_on_front, **others):
    return {
        "name": name,
        "in_words": f"{name} in words",
        "parameters": 12,
        "likelihood": "codes",
        "nll": nll,
        "nll_range_over_seeds": 0.0125,
        "nll_above_truth": nll + 3.5,
        "minus_first": nll + 3.25,
        "paired_standard_error": 0.0025,
        "kl": 0.01,
        "milliseconds_a_training_step": 100 * milliseconds,
        "milliseconds_a_sampled_patch": milliseconds,
        "is_on_front": is_on_front,
        **structure(0.01),
        **others,
    }


@pytest.fixture
def content():
    return {
        "captures": {"file": "test.h5", "patches": 24, "image_shape": [8, 8, 4]},
        "how_split": "Split by scene.",
        "seeds": [0, 1],
        "first": "S-G",
        "batch_size": 16,
        "models": [
            row("L-Ax8", -3.375, 0.5, True),
            row("S-G", -3.25, 0.1, True, minus_first=None, paired_standard_error=None),
            row("recalibrated_nlf", -3.125, 0.2, False),
        ],
        "captured": structure(0.02),
        "truth": -3.5,
    }


def cells(text, name):
    (line,) = (line for line in text.splitlines() if line.startswith(f"| {name} "))
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_a_row_says_what_a_model_has(content):
    text = comparison_text(content)
    header = cells(text, "model")
    found = dict(zip(header, cells(text, "L-Ax8"), strict=True))
    assert found["NLL, nats/dim"] == "-3.3750 (0.0125)"
    assert found["above the truth"] == "0.1250"
    assert found["minus S-G"] == "-0.12500 ± 0.00250"
    assert found["lag-1, horizontal"] == "+0.0100" and found["row variance"] == "none"
    assert found["1 in 1,000 is beyond"] == "3.50" and found["1 in 100,000 is beyond"] == "none"
    assert found["ms a training step"] == "50.0" and found["ms a sampled patch"] == "0.500"
    assert found["on the front"] == "yes"
    assert dict(zip(header, cells(text, "recalibrated NLF"), strict=True))["on the front"] == ""
    captured = dict(zip(header, cells(text, "captured noise"), strict=True))
    assert captured["NLL, nats/dim"] == "-3.5000" and captured["lag-1, horizontal"] == "+0.0200"
    assert "- **L-Ax8**: L-Ax8 in words." in text
    assert "Means over the seeds 0, 1." in text and "between seeds" in text


def test_without_a_truth_and_with_one_seed_there_are_fewer_columns(content):
    content |= {"truth": None, "seeds": [3]}
    text = comparison_text(content)
    assert "above the truth" not in text and "between seeds" not in text
    assert dict(zip(cells(text, "model"), cells(text, "S-G"), strict=True))["NLL, nats/dim"] == (
        "-3.2500"
    )
    assert len(cells(text, "captured noise")) == len(cells(text, "model"))


@pytest.mark.parametrize("truth", [-3.5, None])
def test_the_picture_has_every_model_and_joins_the_front(content, monkeypatch, truth):
    drawn = []
    monkeypatch.setattr(
        likelihood_and_cost, "save_figure", lambda figure, _: drawn.append(figure) or True
    )
    assert likelihood_and_cost.plot_likelihood_and_cost(content | {"truth": truth}, "")
    (figure,) = drawn
    assert {"L-Ax8", "S-G", "recalibrated NLF"} <= {t.get_text() for t in figure.findobj(Text)}
    samples, steps = figure.axes
    *points, front = samples.lines
    heights = [0.125, 0.25, 0.375] if truth else [-3.375, -3.25, -3.125]
    assert [line.get_ydata()[0] for line in points] == heights
    assert [line.get_xdata()[0] for line in steps.lines] == [50, 10, 20]
    assert list(front.get_xdata()) == [0.1, 0.5] and list(front.get_ydata()) == heights[1::-1]
    assert samples.get_yscale() == ("log" if truth else "linear")
