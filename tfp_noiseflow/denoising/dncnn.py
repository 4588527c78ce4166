"""DnCNN: the denoiser whose training shows what a noise model is worth."""

from __future__ import annotations

import tf_keras

# Raw images of everyday scenes average a fifteenth of full scale; times this they have the range of
# the photographs that initial weights and Adam's rate are made for.
BRIGHTENING = 8.0


def dncnn(
    depth: int = 9, filters: int = 32, channels: int = 4, has_batch_normalization: bool = False
) -> tf_keras.Model:
    """A DnCNN: predicts the noise of an image and subtracts it.

    Conv3x3 - ReLU, depth - 2 times Conv3x3 (- batch normalisation) - ReLU, Conv3x3; zero padding.
    The last convolution starts at zero, so that the network starts as the identity: raw noise is a
    hundredth of full scale, and a random start would first have to unlearn being far larger.

    Args:
      depth: convolutions, >= 2. The released experiment of Noise Flow has 9 with 32 filters, the
        paper of DnCNN 17 with 64.
      filters: of all convolutions but the last.
      channels: of the images, 4 for packed raw.
      has_batch_normalization: as in DnCNN's own paper, for large batches. Small ones of patches
        that differ in brightness and ISO are normalised each in another way than in the test.

    Returns:
      A `tf_keras.Model`: noisy [B, H, W, C] -> denoised [B, H, W, C], any H and W.

    Raises:
      ValueError: a depth below 2 or fewer than one filter or channel.

    #### References
    [1]: Zhang, Zuo, Chen, Meng, Zhang. Beyond a Gaussian Denoiser: Residual Learning of Deep CNN
         for Image Denoising. IEEE TIP 2017.
    """
    if depth < 2 or filters < 1 or channels < 1:
        raise ValueError(
            "expected depth >= 2, filters >= 1 and channels >= 1, received "
            f"{depth}, {filters} and {channels}."
        )
    layers = tf_keras.layers

    def convolution(**arguments):
        return layers.Conv2D(
            filters, 3, padding="same", kernel_initializer="he_normal", **arguments
        )

    noisy = tf_keras.Input([None, None, channels], name="noisy")
    x = layers.Rescaling(BRIGHTENING, name="brightened")(noisy)
    x = convolution(activation="relu")(x)
    for _ in range(depth - 2):
        x = convolution(use_bias=not has_batch_normalization)(x)
        if has_batch_normalization:
            # Of the whole batch, where several devices share it.
            x = layers.BatchNormalization(synchronized=True)(x)
        x = layers.ReLU()(x)
    x = layers.Conv2D(channels, 3, padding="same", kernel_initializer="zeros")(x)
    noise = layers.Rescaling(1 / BRIGHTENING, name="noise")(x)
    # The sum is in float32 under mixed precision too: 16 bits would round the image itself.
    denoised = layers.Subtract(name="denoised", dtype="float32")([noisy, noise])
    return tf_keras.Model(noisy, denoised, name="dncnn")
