"""The tables say what the reports say."""

import pytest

from tfp_noiseflow.reporting.paper_tables import paper_tables


def report(shift, kl_of_s_g=0.05):
    def model(nll, kl, parameters):
        return {"nll": nll + shift, "kl": kl, "kl_paper": 2 * kl, "parameters": parameters}

    models = {
        "noise_flow": model(-3.5, 0.01, 2100),
        "S-G": model(-3.3, kl_of_s_g, 7),
        "gaussian": model(-2.8, 0.4, 1),
        "true_nlf": model(-3.6, 0.005, 50),
        "camera_nlf": {"nll": None, "reason": "captures hold no nlf data set"},
        "recalibrated_nlf": model(-3.4, 0.02, 50),
    }
    return {
        "captures": {"file": "test.h5", "patches": 20},
        "models": models,
        "floor": {"kl": 0.001, "kl_paper": 0.002},
        "differences": [
            {"baseline": "S-G", "nll": -0.2 + shift, "paired_standard_error": 0.01},
            {"baseline": "gaussian", "nll": -0.7, "paired_standard_error": 0.02},
        ],
    }


@pytest.fixture
def text():
    by_kl = [
        {"models": {name: {"nll": nll, "kl": kl, "kl_paper": 2 * kl} for name, nll, kl in figures}}
        for figures in (
            (("noise_flow", -3.50, 0.008), ("S-G", -3.2, 0.04)),
            (("noise_flow", -3.48, 0.010), ("S-G", -3.2, 0.04)),
        )
    ]
    reports = [report(0.0), report(0.02, kl_of_s_g=0.052)]
    return paper_tables(reports, "S-Ax4-G-Ax4-CAM", by_kl=by_kl)


def test_improvements_are_in_the_papers_form(text):
    # exp(3.49 - 2.79) - 1, and 1 - 0.01 / 0.4.
    assert "| Gaussian | -2.7900 | 101.4 % | 0.4000 | 97.5 % | 0.8000 | 97.5 % |" in text
    assert "| recalibrated NLF | -3.3900 | 10.5 % | 0.0200 | 50.0 % | 0.0400 | 50.0 % |" in text
    assert "camera NLF: captures hold no nlf data set" in text
    assert "| truth (floor) | | | 0.0010 | | 0.0020 | |" in text


def test_layers_are_in_order_with_spread_and_parameters(text):
    rows = [
        "| S-G | 7 | -3.2900 (0.0200) | +0.1900 ± 0.0100 | 0.0510 (0.0020) | 0.1020 (0.0040) |",
        "| S-G, epoch picked by KL | | -3.2000 (0.0000) | | 0.0400 (0.0000) | 0.0800 (0.0000) |",
        "| S-Ax4-G-Ax4-CAM | 2100 | -3.4900 (0.0200) |  | 0.0100 (0.0000) | 0.0200 (0.0000) |",
        "CAM, epoch picked by KL | | -3.4900 (0.0200) | | 0.0090 (0.0020) | 0.0180 (0.0040) |",
    ]
    places = [text.index(row) for row in rows]
    assert places == sorted(places)
    assert "+0.10000 nats/dim" in text, "the distance from the truth"


def test_one_seed_has_no_difference_between_seeds():
    text = paper_tables([report(0.0)], "S-Ax4-G-Ax4-CAM")
    assert "| S-G | 7 | -3.3000 | +0.2000 ± 0.0100 | 0.0500 | 0.1000 |" in text
