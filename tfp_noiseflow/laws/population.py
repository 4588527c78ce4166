"""Plausible cameras that do not exist, drawn from a population of real ones.

For training what should work on any camera. The population is ten phones, cameras and sensors whose
beta1 and beta2 are published at three or more ISOs: Google Pixel and Motorola Nexus 6 as the SIDD
data set has them, the LG G4's vendor model, Samsung S20 FE, OPPO Reno 10x, Sony IMX385, iPhone 11,
Leica Q2, Canon EOS RP and Ricoh GR III. `python -m train.fit_population` makes the numbers below of
such a table again, and compares them with other forms.

Of a law's logarithms a, b, c, d, e (`CameraLaw.five_numbers`) they describe a normal distribution
of

a, b - a, c - 2 a, d - a, e

p = exp(a) is the gain at ISO 100, full scale per electron. The differences take it off what the
amplifier multiplies: c - 2 a is the logarithm of the read noise before it, in electrons squared; e,
after it, has no gain. Half of the correlations are taken off: by the likelihood of cameras that
were left out of the fit this is better than none and than all of them, and better than the same for
a, b, c, d, e.
"""

from __future__ import annotations

import numpy as np

from tfp_noiseflow.laws.camera_law import CameraLaw

RELATIVE = np.array(
    [
        [1, 0, 0, 0, 0],
        [-1, 1, 0, 0, 0],
        [-2, 0, 1, 0, 0],
        [-1, 0, 0, 1, 0],
        [0, 0, 0, 0, 1],
    ]
)
MEAN = np.array([-9.22, -0.841, -0.0984, -8.02, -14.2])
COVARIANCE = np.array(
    [
        [1.34, -0.845, 0.954, -0.435, 0.308],
        [-0.845, 4.0, -1.34, 0.956, -0.146],
        [0.954, -1.34, 4.47, -1.5, -0.00235],
        [-0.435, 0.956, -1.5, 5.23, 0.379],
        [0.308, -0.146, -0.00235, 0.379, 4.09],
    ]
)
# Tails of ten cameras' distribution reach what no camera has. At each of these ISOs, beta1 and
# beta2 stay between these numbers, a factor of 2 beyond the ten.
LIMIT_ISOS = (100.0, 800.0, 3200.0)
LIMITS = np.array(
    [
        [[3.58e-05, 0.00148], [1.17e-08, 2.54e-05]],
        [[0.000126, 0.00695], [1.44e-07, 0.000145]],
        [[0.000332, 0.0275], [1.27e-06, 0.00232]],
    ]
)


def expected_law(iso: float, beta1: float) -> tuple[CameraLaw, float]:
    """What the population says of a camera of which beta1 at one ISO is known.

    Args:
      iso: > 0. beta1: there, a fraction of full scale, > 0.

    Returns:
      The law of the conditional mean of the five logarithms, right for beta1 at that ISO, and by
      what factor beta2 there is higher or lower than the law's, as a standard deviation: 1.8 for
      instance.
    """
    weight = COVARIANCE[1:, 0] / COVARIANCE[0, 0]
    rest = COVARIANCE[1:, 1:] - np.outer(weight, COVARIANCE[0, 1:])
    gain = iso / 100
    a = np.log(beta1 / gain)
    for _ in range(50):  # q, which is a part of beta1, depends on a: a contraction.
        others = MEAN[1:] + weight * (a - MEAN[0])
        a = np.log(beta1 / (gain + np.exp(others[0])))
    root = np.linalg.cholesky(rest)
    draws = others + np.random.default_rng(0).standard_normal((2000, 4)) @ root.T
    logs = np.linalg.solve(RELATIVE, np.column_stack([np.full(len(draws), a), draws]).T)
    beta2 = np.exp(logs[2]) * gain**2 + np.exp(logs[3]) * gain + np.exp(logs[4])
    law = CameraLaw.from_five_numbers(
        np.linalg.solve(RELATIVE, np.concatenate([[a], others])),
        origin=f"expected of a camera whose beta1 is {beta1:.4g} at ISO {iso:g}",
    )
    return law, float(np.exp(np.std(np.log(beta2))))


def generic_cameras(seed: int, n: int) -> tuple[CameraLaw, ...]:
    """Laws of plausible cameras.

    Args:
      seed: of the draws. n: how many, >= 1; with the same seed, more begin with the same ones.

    Returns:
      n laws, of cameras "generic 0", "generic 1" and so on, each for all channels.

    Raises:
      ValueError: n below 1.
    """
    if n < 1:
        raise ValueError(f"expected n of 1 or more, received {n}.")
    generator = np.random.default_rng(seed)
    root = np.linalg.cholesky(COVARIANCE)
    laws: list[CameraLaw] = []
    while len(laws) < n:
        relative = MEAN + root @ generator.standard_normal(5)
        law = CameraLaw.from_five_numbers(
            np.linalg.solve(RELATIVE, relative),
            camera=f"generic {len(laws)}",
            origin=f"drawn from a population of real cameras, seed {seed}",
        )
        betas = np.stack(law(LIMIT_ISOS), axis=-1)
        if ((betas >= LIMITS[..., 0]) & (betas <= LIMITS[..., 1])).all():
            laws.append(law)
    return tuple(laws)
