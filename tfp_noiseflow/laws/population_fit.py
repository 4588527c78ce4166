"""The distribution of real cameras' laws, fitted to tables and compared by leave-one-camera-out.

The numbers of `population.py` are of the form that is chosen here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from tfp_noiseflow.laws.camera_law import CameraLaw
from tfp_noiseflow.laws.camera_table import CameraTable
from tfp_noiseflow.laws.law_residuals import FEWEST_ISOS, POWER_TOLERANCE, fitted_tables
from tfp_noiseflow.laws.population import LIMIT_ISOS, RELATIVE

# What files hold where the read noise was not measured.
FLOORS = (1e-8, 2e-6)
# Read noise does not fall as the ISO rises; rows below this share of a lower ISO's are wrong.
LARGEST_FALL = 0.5
# A term of a law that is 0 was too small to be seen: it stands as this share of the others.
SEEN_SHARE = 0.01

LIMIT_FACTOR = 2.0

# How much of the correlations is taken off, of the logarithms or of those relative to the gain.
SHRINKAGES = (0.0, 0.25, 0.5, 0.75, 1.0)
COORDINATES = {"logarithms": np.eye(5), "relative to the gain": RELATIVE}
CHOSEN = ("relative to the gain", 0.5)


@dataclass(frozen=True, eq=False)
class Population:
    """A fitted distribution of laws.

    Attributes:
      mean [5], covariance [5, 5]: of the logarithms relative to the gain.
      limits: [3, 2, 2], at ISO 100, 800 and 3200 the smallest and largest beta1 and beta2, a factor
        of 2 beyond those of the cameras.
      laws: of the cameras. left_out: the cameras that tell too little, and why.
      likelihoods: {(coordinates, shrinkage): [cameras]}, the log-likelihood of each camera's five
        logarithms under a distribution of that form that was fitted to the others.
    """

    mean: np.ndarray
    covariance: np.ndarray
    limits: np.ndarray
    laws: tuple[CameraLaw, ...]
    left_out: dict[str, str]
    likelihoods: dict[tuple[str, float], np.ndarray]

    def __str__(self) -> str:
        """Markdown: the cameras, the comparison, and the numbers as Python."""
        best = self.likelihoods[CHOSEN]
        lines = ["Fitted: " + ", ".join(law.camera for law in self.laws), ""]
        lines += [f"Left out: {camera}: {reason}" for camera, reason in self.left_out.items()]
        lines += [
            "",
            "| normal distribution of | correlations taken off | left out log-likelihood a camera "
            "| less than the chosen |",
            "|---|---|---|---|",
        ]
        for (coordinates, shrinkage), values in self.likelihoods.items():
            error = np.std(best - values, ddof=1) / np.sqrt(len(values))
            lines.append(
                f"| {coordinates} | {shrinkage:.0%} | {values.mean():.2f} | "
                f"{np.mean(best - values):.2f} +- {error:.2f} |"
            )
        for name in ("mean", "covariance", "limits"):
            text = np.array2string(
                getattr(self, name),
                separator=", ",
                formatter={"float_kind": lambda value: f"{value:.3g}"},
            )
            lines += ["", f"{name.upper()} = {text}"]
        return "\n".join(lines)


def fit_population(tables: Sequence[CameraTable]) -> Population:
    """Fits the distribution to the cameras of tables.

    A camera's channels are averaged. Rows are left out whose beta2 was not measured (it is 0 or
    less, a floor that files hold, or below half of a lower ISO's); and cameras of which fewer than
    three ISOs are left, or whose beta1 does not rise with ISO.

    Args:
      tables: of cameras.

    Returns:
      Population.

    Raises:
      ValueError: fewer than seven cameras are left.
    """
    laws, left_out = [], {}
    for table in fitted_tables(tables):
        measured = _measured(table)
        if len(np.unique(measured.iso)) < FEWEST_ISOS:
            left_out[table.camera] = f"ISOs at which beta2 was measured: {len(measured.iso)}"
        elif _power(measured) < POWER_TOLERANCE:
            left_out[table.camera] = "beta1 does not rise with ISO"
        else:
            laws.append(measured.fit().law)
    # Leaving one out must leave more cameras than numbers.
    if len(laws) < 7:
        raise ValueError(f"expected seven cameras or more, received {len(laws)}; {left_out}.")
    numbers = []
    for law in laws:
        assert law.iso_range is not None  # Of the table that it was fitted to.
        numbers.append(law.five_numbers(SEEN_SHARE, law.iso_range))
    logs = np.stack(numbers)
    likelihoods = {
        (name, shrinkage): _left_out_likelihood(logs @ matrix.T, shrinkage)
        for name, matrix in COORDINATES.items()
        for shrinkage in SHRINKAGES
    }
    coordinates, shrinkage = CHOSEN
    values = logs @ COORDINATES[coordinates].T
    betas = np.stack([np.stack(law(LIMIT_ISOS), axis=-1) for law in laws])
    limits = np.stack([betas.min(axis=0) / LIMIT_FACTOR, betas.max(axis=0) * LIMIT_FACTOR], -1)
    return Population(
        values.mean(axis=0),
        _covariance(values, shrinkage),
        limits,
        tuple(laws),
        left_out,
        likelihoods,
    )


def _measured(table: CameraTable) -> CameraTable:
    shape = (len(table.iso), -1)
    columns = (table.iso, *(np.reshape(b, shape).mean(axis=1) for b in (table.beta1, table.beta2)))
    rows = np.stack(columns, axis=1)
    rows = rows[(rows[:, 2] > 0) & ~np.isin(rows[:, 2], FLOORS) & ~np.isnan(rows[:, 0])]
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    if len(rows):
        rows = rows[rows[:, 2] >= LARGEST_FALL * np.maximum.accumulate(rows[:, 2])]
    iso, beta1, beta2 = rows.T
    return CameraTable(table.camera, iso, beta1, beta2, origin=table.origin)


def _power(table: CameraTable) -> float:
    """By which beta1 rises with ISO."""
    return np.log(table.beta1[-1] / table.beta1[0]) / np.log(table.iso[-1] / table.iso[0])


def _covariance(values: np.ndarray, shrinkage: float) -> np.ndarray:
    covariance = np.cov(values.T)
    return (1 - shrinkage) * covariance + shrinkage * np.diag(np.diag(covariance))


def _left_out_likelihood(values: np.ndarray, shrinkage: float) -> np.ndarray:
    found = []
    for camera in range(len(values)):
        others = np.delete(values, camera, axis=0)
        normal = stats.multivariate_normal(others.mean(axis=0), _covariance(others, shrinkage))
        found.append(normal.logpdf(values[camera]))
    return np.array(found)
