"""Packaging. BUILD_NOTES.md gives the reason for each dependency."""

import pathlib

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
ABOUT: dict[str, str] = {}
exec((HERE / "tfp_noiseflow" / "version.py").read_text(encoding="utf-8"), ABOUT)

setup(
    name="tfp_noiseflow",
    version=ABOUT["__version__"],
    description="Noise of real cameras as TensorFlow Probability distributions: Noise Flow",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["tfp_noiseflow", "tfp_noiseflow.*"]),
    python_requires=">=3.11",
    install_requires=[
        "tensorflow>=2.21,<2.22",
        "tensorflow-probability>=0.25,<0.26",
        "tf_keras>=2.21,<2.22",
        "numpy>=2.0",
        "h5py>=3.10",
        "scipy>=1.13",
        "absl-py>=2.0",
    ],
    extras_require={
        # The report's pictures, the photographs of the simulated captures, TensorBoard logs,
        # pictures in and out, raw frames of cameras.
        "report": ["matplotlib>=3.9"],
        "simulation": ["scikit-image>=0.24"],
        "tensorboard": ["tensorboard>=2.20"],
        # Warm-up requests in exports, the gRPC client.
        "serving": ["grpcio>=1.60", "tensorflow-serving-api>=2.19,<3"],
        "photographs": ["imageio>=2.34", "pillow>=10.1", "tifffile>=2024.1"],
        "dng": ["rawpy>=0.24"],
        "dev": [
            "grpcio>=1.60",
            "tensorflow-serving-api>=2.19,<3",
            "matplotlib>=3.9",
            "scikit-image>=0.24",
            "tensorboard>=2.20",
            "imageio>=2.34",
            "pillow>=10.1",
            "tifffile>=2024.1",
            "rawpy>=0.24",
            "hypothesis>=6.100",
            "pytest>=8",
            "pytest-xdist>=3.6",
            "ruff>=0.9",
        ],
    },
)
