"""The jobs that are killed: commands of the library on inputs so small that each takes seconds."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

import tfp_noiseflow as nf
from tests.calibration import shoot
from tests.registry import moved
from tests.sidd import sidd_form
from tfp_noiseflow.captures.about import about_captures
from tfp_noiseflow.models.model_directory import write_baselines
from tfp_noiseflow.simulation.raw_shoot import RawShoot
from tfp_noiseflow.simulation.simulate_captures import simulate_captures

SHOOT = RawShoot(
    iso_levels=(100, 400, 1600), shape=(96, 160), flat_exposures=3, darks=4, burst=4, flicker=0.02
)
TRAINING = {
    "train_captures": "{inputs}/captures/train.h5",
    "validation_captures": "{inputs}/captures/validation.h5",
    "model_dir": "{outputs}/model",
    "batch_size": 20,
    "epochs": 5,
    "verbose": 0,
}


@dataclass(frozen=True)
class Job:
    """A command.

    Attributes:
      script: of `train/`.
      flags: by name; `{inputs}` and `{outputs}` stand for the two folders.
    """

    script: str
    flags: Mapping[str, object]

    def given(self, inputs: pathlib.Path, outputs: pathlib.Path) -> dict[str, str]:
        """The flags for two folders."""
        return {
            name: str(value).format(inputs=inputs, outputs=outputs)
            for name, value in self.flags.items()
        }


JOBS = {
    "simulate_captures": Job(
        "simulate_captures",
        {
            "output_dir": "{outputs}",
            "patches_per_combination": 40,
            "validation_patches_per_combination": 20,
            "test_patches_per_combination": 20,
            "patch_size": 16,
        },
    ),
    "import_frames": Job(
        "import_frames",
        {
            "input_dir": "{inputs}/pairs",
            "output_dir": "{outputs}",
            "test_share": 0.34,
            "patch_size": 16,
            "processes": 2,
        },
    ),
    "import_dark_frames": Job(
        "import_dark_frames",
        {
            "input_dir": "{inputs}/frames/darks",
            "output_dir": "{outputs}/bank",
            "model_dir": "{outputs}/model",
            "camera_tables": "{inputs}/tables.csv",
            "processes": 1,
        },
    ),
    "import_sidd": Job(
        "import_sidd",
        {
            "sidd_root": "{inputs}/sidd",
            "output_dir": "{outputs}",
            "train_instances": "1,2,3,4,5,6",
            "test_instances": "7,8",
            "patch_size": 16,
            "processes": 1,
        },
    ),
    "noise_flow": Job(
        "noise_flow",
        TRAINING | {"architecture": "S-Ax1-G-CAM", "option": "hidden_channels=3"},
    ),
    "noise_flow --stored": Job("noise_flow", TRAINING | {"stored": "true"}),
    "calibrate": Job(
        "calibrate",
        {
            "input_dir": "{inputs}/frames",
            "camera": "Mine",
            "output_model_dir": "{outputs}/model",
            "report_dir": "{outputs}/report",
        },
    ),
    "export": Job("export", {"model_dir": "{inputs}/model", "output_dir": "{outputs}/served"}),
    "evaluate": Job(
        "evaluate",
        {
            "model_dir": "{inputs}/model",
            "captures": "{inputs}/captures/test.h5",
            "output_dir": "{outputs}/report",
        },
    ),
}


def make_inputs(folder: pathlib.Path) -> None:
    """Writes what the jobs read: captures, a model, raw frames, a tree of SIDD."""
    for split, patches in (("train", 8), ("validation", 2), ("test", 2)):
        simulate_captures(
            folder / "captures" / f"{split}.h5",
            split=split,
            patches_per_combination=patches,
            patch_size=16,
            repeat=split != "train",
        )
    with nf.read_captures(folder / "captures" / "train.h5") as captures:
        known = {"cameras": captures.cameras, "iso_levels": captures.iso_levels}
        model = moved(nf.NoiseFlow("S-Ax1-G-CAM", **known, hidden_channels=3, seed=0))
        nf.save_model(model, folder / "model", about_captures(captures))
        baselines = {"gaussian": nf.GaussianNoise.fit(captures), "nlf": nf.CameraNLF.fit(captures)}
        write_baselines(folder / "model", baselines)
    truth = shoot.write(folder / "frames", shoot=SHOOT)
    isos, *betas = np.transpose([[r["iso"], r["beta1"], r["beta2"]] for r in truth["by_iso"]])
    nf.write_camera_tables(folder / "tables.csv", [nf.CameraTable(truth["camera"], isos, *betas)])
    sidd_form.write_tree(folder / "sidd" / "Data", range(1, 9))
    generator = np.random.default_rng(0)
    for scene in "abc":
        light = generator.uniform(0.05, 0.5, (64, 96))
        for kind, count, spread in (("noisy", 3, 8.0), ("clean", 2, 1.0)):
            for number in range(count):
                codes = 64 + 959 * light + spread * generator.standard_normal(light.shape)
                path = folder / "pairs" / scene / kind / f"{number}.npz"
                shoot.save_frame(path, np.rint(codes).astype(np.uint16), camera="Test")
