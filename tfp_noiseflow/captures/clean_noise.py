"""Whether clean images hold noise: of their own, or that of the noisy ones.

A noise level function that is fitted to noisy - clean is too high where clean has noise of its own,
as one other frame has, and too low where it shares noisy's, as a mean of frames that noisy is one
of, or a denoised noisy image, does.

What tells is the flattest tenth of each image's pieces, chosen by their neighbours. There, without
mean and slope, in units of the noise's variance: clean's own variance a, and the covariance c of
noise and clean. A scene without noise has a near 0. Noise of clean's own gives c = -a; noise that
both share c above -a: 0 for a mean that noisy is one of, positive for most denoisers. At c = -a / 2
the two make up for each other, as in a mean to which noisy belongs with the right weight. Where no
part is flat a tells nothing of clean, and c alone not whether that is so.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tfp_noiseflow.captures.capture_file import Captures

# Of a camera and ISO at most.
CAPTURES = 64
PIXELS = 8
FREEDOM = PIXELS - 2
FLATTEST = 0.1
# Less noise than this share changes a standard deviation by 2.5 %.
LEAST_SHARE = 0.05
# A mean of two frames has as much noise as the difference to one of them; more is a scene.
LARGEST_SHARE = 1.3
ERRORS = 5.0
# Of noise a piece's sum of squares has a relative variance of 2 / FREEDOM; of scenes far more.
LARGEST_SPREAD = 3 * 2 / FREEDOM


def clean_noise(captures: Captures, *, seed: int = 0) -> Iterator[str]:
    """Sentences about cameras and ISOs whose clean images hold noise.

    Args:
      captures: some of whose images are read.
      seed: of the choice.
    """
    rng = np.random.default_rng(seed)
    if captures.image_shape[0] < 3 or captures.image_shape[1] < PIXELS:
        return
    told: dict[str, list[str]] = {}
    for camera in captures.cameras:
        for iso in captures.iso_levels:
            rows = np.flatnonzero((captures.camera == camera) & (captures.iso == np.float32(iso)))
            if len(rows):
                rows = np.sort(rng.permutation(rows)[:CAPTURES])
                text = _told(captures.select(rows))
                if text:
                    told.setdefault(text, []).append(f"{camera} at ISO {iso:g}")
    for text, where in told.items():
        more = f" and {len(where) - 3} more" if len(where) > 3 else ""
        yield f"{', '.join(where[:3])}{more}: {text}"


def _told(captures: Captures) -> str | None:
    sums = [_pieces(block.noise, block.clean) for block in captures.blocks()]
    columns = zip(*sums, strict=True)
    level, noise, clean, shared, around = (np.concatenate(column) for column in columns)
    # The noise's variance by level, in twenty groups.
    order = np.argsort(level, kind="stable")
    variance = np.empty_like(noise)
    for part in np.array_split(order, 20):
        if len(part):
            variance[part] = max(noise[part].mean(), 1e-30)
    flat = around / variance
    flat = flat <= np.quantile(flat, FLATTEST)
    own, shared = clean[flat] / variance[flat], shared[flat] / variance[flat]
    count = np.count_nonzero(flat)
    if count < 32:
        return None
    a, c = own.mean(), shared.mean()
    error = shared.std() / np.sqrt(count)
    is_noise = a < LARGEST_SHARE and own.var() < LARGEST_SPREAD * a**2
    # The variance of noisy - clean is off by a + 2 c.
    off = own + 2 * shared
    if is_noise and abs(off.mean()) < max(LEAST_SHARE, ERRORS * off.std() / np.sqrt(count)):
        return None
    if c > LEAST_SHARE and c > ERRORS * error:
        return (
            f"noisy - clean and clean agree in flat parts (covariance {c:.2f} of the variance): "
            "clean shares noise with noisy, as a denoised noisy image does; the noise is too low"
        )
    if c < -LEAST_SHARE and c < -ERRORS * error:
        return (
            f"clean has noise of its own, {-c:.0%} of the variance of noisy - clean, which is too "
            "high by it, unless that was made good; a mean of more frames has less"
        )
    if is_noise and a > LEAST_SHARE:
        return (
            f"flat parts of clean vary like noise, by {a:.0%} of the variance of noisy - clean, "
            "and so with noisy: clean shares noise with noisy, as a mean that noisy is one of; "
            "the noise is too low, unless that was made good"
        )
    return None


def _pieces(noise: np.ndarray, clean: np.ndarray) -> tuple[np.ndarray, ...]:
    """[n, H, W, C] images -> of each piece of a row: level; the variance of noise, of clean, their
    covariance, and clean's variance above and below, each without mean and slope."""
    width = clean.shape[2] // PIXELS * PIXELS
    shape = (*clean.shape[:2], width // PIXELS, PIXELS, clean.shape[3])
    noise, clean = (
        image[:, :, :width].reshape(shape).astype(np.float64) for image in (noise, clean)
    )
    level = clean.mean(axis=3)
    slope = np.arange(PIXELS) - (PIXELS - 1) / 2
    slope /= np.sqrt(np.sum(slope**2))

    def flattened(image: np.ndarray) -> np.ndarray:
        image = image - image.mean(axis=3, keepdims=True)
        return image - np.einsum("nhtpc,p->nhtc", image, slope)[:, :, :, None] * slope[:, None]

    noise, clean = flattened(noise), flattened(clean)
    variances = [
        np.sum(a * b, axis=3) / FREEDOM for a, b in ((noise, noise), (clean, clean), (noise, clean))
    ]
    own = variances[1]
    around = (own[:, :-2] + own[:, 2:]) / 2
    return (level[:, 1:-1].ravel(), *(v[:, 1:-1].ravel() for v in variances), around.ravel())
