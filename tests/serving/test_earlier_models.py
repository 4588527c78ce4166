"""Models and exports that earlier commits shipped: they load, and are what they were."""

import io
import subprocess
import tarfile

import numpy as np
import pytest
import tensorflow as tf

import tfp_noiseflow as nf
from tests.documents import ROOT
from tests.serving.requests import good

# Minutes: each export is loaded, each model's functions traced.
pytestmark = pytest.mark.slow

FOLDER = "saved_models"


def git(*arguments) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True)
    if done.returncode:
        pytest.skip(f"needs the history in git: {done.stderr.decode().strip()[:200]}")
    return done.stdout


def shipped():
    """(commit, name) of each pair of a model and its export that history has, once each."""
    found = {}
    for commit in git("log", "--format=%H", "--", FOLDER).decode().split():
        trees = {}
        for line in git("ls-tree", "-d", commit, f"{FOLDER}/").decode().splitlines():
            trees[line.split("\t")[1].removeprefix(f"{FOLDER}/")] = line.split()[2]
        for name, tree in trees.items():
            if f"{name}_model" in trees:
                found[tree, trees[f"{name}_model"]] = commit, name
    return list(found.values())


def test_earlier_models_and_exports_are_what_they_were(tmp_path):
    pairs = shipped()
    # A checkout without history has the last commit alone.
    if len({commit for commit, _ in pairs}) < 2:
        pytest.skip("needs the history in git, this is a shallow checkout")
    for commit, name in pairs:
        folder = tmp_path / f"{commit[:8]}-{name}"
        archive = io.BytesIO(git("archive", commit, f"{FOLDER}/{name}", f"{FOLDER}/{name}_model"))
        with tarfile.open(fileobj=archive) as files:
            files.extractall(folder, filter="data")
        model = nf.load_model(folder / FOLDER / f"{name}_model")
        export = tf.saved_model.load(str(folder / FOLDER / name / "1"))
        request = good("sample_noise", 2)
        request["camera"][:] = model.cameras[:2]
        request["iso"][:] = (model.iso_levels or (100.0, 800.0))[:2]
        request["clean"] = np.clip(request["clean"], 0, 1)
        request = {key: tf.constant(value) for key, value in request.items()}
        noise = export.signatures["sample_noise"](**request)["noise"]
        given = {key: request[key] for key in ("clean", "iso", "camera")}
        served = export.signatures["log_prob"](noise=noise, **given)["nll_per_dim"]
        nll = -model(**given).log_prob(noise) / noise[0].numpy().size
        # The graph of its day against the layers of today, which may sum in another order: some
        # roundings of an NLL, of eight couplings, as in test_shipped_model.
        np.testing.assert_allclose(nll, served, atol=5e-6, err_msg=f"{commit} {name}")
        draws = {"seeds": request["seed"], "temperature": request["temperature"]}
        today = nf.sample_noise(model, **given, **draws).numpy()
        np.testing.assert_allclose(
            today, noise, atol=2e-5 * today.std(), err_msg=f"{commit} {name}"
        )
