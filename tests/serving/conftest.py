"""One exported flow for all tests of serving."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.registry import CAMERAS, ISO_LEVELS, moved

TRAINING_DATA = {"file": "t.h5", "licence": "CC0", "origin": "Made up for tests: é, 雑音."}


@dataclasses.dataclass(frozen=True)
class Served:
    """A noise model and its export."""

    model: nf.NoiseModel
    path: str

    def expected(self, signature: str, inputs: dict) -> dict[str, np.ndarray]:
        """What the model itself gives for a signature's inputs."""
        given = {name: inputs[name] for name in ("clean", "iso", "camera")}
        if signature == "log_prob":
            log_prob = self.model(**given).log_prob(inputs["noise"]).numpy()
            dimensions = np.float32(inputs["noise"][0].size)
            return {"log_prob": log_prob, "nll_per_dim": -log_prob / dimensions}
        noise = nf.sample_noise(
            self.model, **given, seeds=inputs["seed"], temperature=inputs["temperature"]
        ).numpy()
        if signature == "sample_noise":
            return {"noise": noise}
        return {"noise": noise, "noisy": np.clip(inputs["clean"] + noise, 0, 1)}


@pytest.fixture(
    scope="session",
    # The shallow flow takes the path of the full one in a third of the time.
    params=["S-Ax1-G-CAM", pytest.param("S-Ax4-G-Ax4-CAM", marks=pytest.mark.slow)],
)
def served(request, tmp_path_factory) -> Served:
    """A flow, its variables moved: couplings that start as the identity hide mistakes."""
    flow = nf.NoiseFlow(request.param, cameras=CAMERAS, iso_levels=ISO_LEVELS, seed=0)
    model = moved(flow, by=0.05)
    base_dir = tmp_path_factory.mktemp("served") / "flow"
    return Served(model, nf.export_saved_model(model, base_dir, training_data=TRAINING_DATA))


@pytest.fixture(scope="session")
def served_with_valid(tmp_path_factory) -> Served:
    """A small flow whose export has the output `valid`."""
    model = moved(nf.NoiseFlow("S-G-CAM", cameras=CAMERAS, iso_levels=ISO_LEVELS), by=0.05)
    base_dir = tmp_path_factory.mktemp("served") / "valid"
    return Served(model, nf.export_saved_model(model, base_dir, has_valid_output=True))


@pytest.fixture(scope="session")
def signatures(served):
    """The export's signatures in Python."""
    return tf.saved_model.load(served.path).signatures
