"""How close denoised images are to clean ones: PSNR and SSIM, and the paper's comparisons."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

# A patch that is white throughout is denoised without any error; its PSNR would be infinite.
LARGEST_PSNR = 80.0


def psnr_and_ssim(denoised: tf.Tensor, clean: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """PSNR and SSIM of each image.

    Args:
      denoised, clean: [B, H, W, C] in fractions of full scale, H and W at least 11. Both are
        clipped to [0, 1] before they are compared.

    Returns:
      psnr [B], dB relative to full scale, at most 80; ssim [B], mean over pixels and channels
      (11x11 Gaussian window, K1 = 0.01, K2 = 0.03).

    #### References
    [1]: Wang, Bovik, Sheikh, Simoncelli. Image quality assessment: from error visibility to
         structural similarity. IEEE TIP 2004.
    """
    denoised, clean = (tf.clip_by_value(image, 0.0, 1.0) for image in (denoised, clean))
    psnr = tf.minimum(tf.image.psnr(denoised, clean, 1.0), LARGEST_PSNR)
    return psnr, tf.image.ssim(denoised, clean, 1.0)


def rmse_reduction(psnr: float, than: float) -> float:
    """By which fraction the RMSE is lower than another's, from both PSNRs in dB (paper, sec. 5)."""
    return 1.0 - 10.0 ** (-(psnr - than) / 20.0)


def dssim_reduction(ssim: float, than: float) -> float:
    """By which fraction the DSSIM, (1 - SSIM) / 2, is lower than another's; NaN where that is 0."""
    return 1.0 - (1.0 - ssim) / (1.0 - than) if than < 1 else np.nan
