"""R, what the pixels of a row of the sensor share: banding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability.python.internal import parameter_properties

from tfp_noiseflow.bijectors.signal_dependent import SignalDependent
from tfp_noiseflow.composition.layer import Layer
from tfp_noiseflow.conditions.conditions import Condition, merged
from tfp_noiseflow.images.image import Image
from tfp_noiseflow.laws import Law, as_law


class RowNoise(Layer):
    """Adds to standardised noise a number that all pixels of a row of the sensor share.

    ```none
    w         = 1 / the deviation of each pixel's noise, over a row;  q = w . w
    S         = sqrt(1 + tau^2 q),  c = (S - 1) / q = tau^2 / (S + 1)
    forward   y = x + c w (w . x)
    inverse   x = y - c / S w (w . y)
    fldj      sum over rows of log S
    ```

    Where x is white, y has the covariance I + tau^2 w w^T: that of white noise and an offset of the
    row, of variance tau^2 before it is divided by each pixel's deviation. So tau is physical, the
    same for frames of any width and any brightness, and the image's variance is that of `noise` and
    tau^2. It has the unit of `noise`: full scale, or that before the gain where one amplifies.

    Columns have no such layer. Of offsets of rows and of columns together the covariance is
    I + tau^2 R + rho^2 C, which is not that of one layer after the other: each row's offset would
    be stretched along the columns by the second. Deviations that differ from pixel to pixel leave R
    and C without common eigenvectors, so that no closed form is as cheap.

    Conditions: those of `noise`, and of the law.

    Args:
      noise: the noise level function of the noise, sharing its variables.
      log_variance: log tau^2; a law by camera and ISO; a number, of which a variable is made; or a
        variable or tensor, which is used as it is.
      mosaic_rows: for each channel, which row of the mosaic it lies in: (0, 0, 1, 1) for packed R,
        Gr, Gb, B, of which R and Gr share a row, and Gb and B. None: all channels of a pixel lie in
        one row, as in a plane or where channels are read out together.
      dtype: float32 or float64.
      name: of the layer; also TFP's key for its conditions in a composition.

    Raises:
      ValueError: a law by channel, no channels; at a call, images of other channels.
    """

    def __init__(
        self,
        noise: SignalDependent,
        log_variance: Law | float | tf.Tensor,
        *,
        mosaic_rows: Sequence[int] | None = None,
        dtype: tf.DType = tf.float32,
        name: str = "row_noise",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(dtype=dtype, parameters=parameters, name=name)
            self.noise = noise
            self.log_variance = as_law(log_variance, 0.0, dtype=dtype, name="log_row_variance")
            if self.log_variance.channels is not None:
                raise ValueError(
                    f"{self.name}: expected a law for all channels, received one by channel."
                )
            self._rows = None
            if mosaic_rows is not None:
                rows = sorted({*mosaic_rows})
                self._rows = tuple(rows.index(row) for row in mosaic_rows)
                self.channels = len(self._rows)
                if not self.channels:
                    raise ValueError(
                        f"{self.name}: expected a row for each channel, received none."
                    )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
        return {
            "noise": parameter_properties.BatchedComponentProperties(
                event_ndims=lambda self, ndims: ndims
            ),
            "log_variance": parameter_properties.ParameterProperties(event_ndims=0),
        }

    @property
    def conditions(self) -> Mapping[str, Condition]:
        return merged(self.noise.conditions, self.log_variance.conditions)

    @property
    def can_fold(self) -> bool:
        return self.log_variance.batch_shape.rank == 0 and self.noise.can_fold

    def physical_parameters(self, cameras: Sequence[str] | None = None) -> dict[str, tf.Tensor]:
        """`row_deviation`, tau, by all that it depends on."""
        shown = self.log_variance.shown_values(lambda log, given: tf.exp(0.5 * log), cameras)
        return {f"row_deviation{label}": value for label, value in shown.items()}

    def forward_image(self, x: Image, **conditions: Any) -> tuple[Image, tf.Tensor]:
        weight, factor, root = self._weights(x, **conditions)
        shared = factor * self._summed(x.mapped(tf.multiply, weight))
        return self._plus(x, weight, shared), tf.reduce_sum(tf.math.log(root), axis=[-2, -1])

    def inverse_image(self, y: Image, **conditions: Any) -> tuple[Image, tf.Tensor]:
        weight, factor, root = self._weights(y, **conditions)
        shared = -factor / root * self._summed(y.mapped(tf.multiply, weight))
        return self._plus(y, weight, shared), -tf.reduce_sum(tf.math.log(root), axis=[-2, -1])

    def _weights(
        self, image: Image, *, clean: Image, **conditions: Any
    ) -> tuple[Image, tf.Tensor, tf.Tensor]:
        """w, an image, and c and S of each row, [.., H, rows of a pixel]."""
        if self.channels is not None and image.channels not in (None, self.channels):
            raise ValueError(
                f"{self.name}: expected images of {self.channels} channels, as rows of the mosaic "
                f"are given, received {image.channels}."
            )
        weight = self.noise.pixel_noise(clean, **conditions).precision_root
        variance = tf.exp(self.log_variance.at(**conditions))[..., tf.newaxis, tf.newaxis]
        root = tf.sqrt(1 + variance * self._summed(weight.mapped(tf.square)))
        return weight, variance / (root + 1), root

    def _summed(self, image: Image) -> tf.Tensor:
        """[.., H, rows of a pixel], the sums over rows of the mosaic."""
        sums = image.summed_by_row()
        if self._rows is None:
            return tf.reduce_sum(sums, axis=-1, keepdims=True)
        columns = tf.unstack(sums, num=self.channels, axis=-1)
        parts = [
            tf.add_n([column for column, row in zip(columns, self._rows, strict=True) if row == k])
            for k in range(max(self._rows) + 1)
        ]
        return tf.stack(parts, axis=-1)

    def _plus(self, image: Image, weight: Image, shared: tf.Tensor) -> Image:
        """The image plus a number of each row times the weight."""
        if self._rows is not None:
            shared = tf.gather(shared, self._rows, axis=-1)
        shared = image.spread_rows(shared)
        return image.mapped(lambda x, w: x + w * shared, weight)
