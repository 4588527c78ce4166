"""What pyproject.toml cannot say of the packages: two of them lie elsewhere in the checkout."""

from setuptools import find_packages, setup

# The scripts without the global name `train`, and the shipped models' directories.
ELSEWHERE = {"tfp_noiseflow.commands": "train", "tfp_noiseflow.saved_models": "saved_models"}

setup(
    packages=[*find_packages(include=["tfp_noiseflow", "tfp_noiseflow.*"]), *ELSEWHERE],
    package_dir=ELSEWHERE,
    # What the sdist has beside is no part of the wheel.
    include_package_data=False,
    package_data={
        "tfp_noiseflow": ["py.typed", "*.pyi"],
        "tfp_noiseflow.saved_models": ["*.md", "*_model/**"],
    },
)
