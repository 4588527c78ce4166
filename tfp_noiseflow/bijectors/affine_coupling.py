"""The affine coupling of a flow step A (Real NVP; paper, equations 9 to 11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_noiseflow.bijectors.conditioner import Conditioner, ConvolutionalConditioner
from tfp_noiseflow.composition.layer import Layer
from tfp_noiseflow.conditions.conditions import Condition
from tfp_noiseflow.images.image import Image


class AffineCoupling(Layer):
    """Scales and shifts the second half of the channels by a network of the first half.

    ```none
    x0, x1    = the first floor(C / 2) channels, the rest
    t, r      = the two halves of net(x0),  l = scale * tanh(r)
    inverse   x1 <- x1 * exp(l) + t
    forward   x1 <- (x1 - t) * exp(-l)
    ildj      sum l
    ```

    Conditions: those of the conditioner; none of the default one.

    Args:
      channels: C >= 2.
      hidden_channels: width of the default network.
      has_border_indicator: whether the default network sees the border.
      conditioner: what to use as net instead, [.., H, W, floor(C / 2)] to
        [.., H, W, 2 ceil(C / 2)]: a `Conditioner`, or any function of tensors, with which the
        coupling has no folded form; the variables of a tf.Module are tracked.
      seed: of the default network's initial weights; None: random ones.
      dtype: float32 or float64.
      name: of the layer.

    Raises:
      ValueError: fewer than two channels.

    #### References
    [1]: Dinh, Sohl-Dickstein, Bengio. Density Estimation Using Real NVP. ICLR 2017.
         Equations 7 and 8.
    [2]: Abdelhamed, Brubaker, Brown. Noise Flow. ICCV 2019. Equations 9 to 11.
    """

    gains_from_folding = True
    splits_to_halves = True
    channels: int

    def __init__(
        self,
        channels: int,
        *,
        hidden_channels: int = 4,
        has_border_indicator: bool = False,
        conditioner: Conditioner | Callable[..., tf.Tensor] | None = None,
        seed: int | np.random.SeedSequence | None = None,
        dtype: tf.DType = tf.float32,
        name: str = "affine_coupling",
    ):
        parameters = dict(locals())
        if channels < 2:
            raise ValueError(f"{name}: expected channels >= 2, received {channels}.")
        with tf.name_scope(name) as name:
            super().__init__(dtype=dtype, parameters=parameters, name=name)
            self.channels = channels
            self.conditioner = conditioner or ConvolutionalConditioner(
                channels // 2,
                2 * (channels - channels // 2),
                hidden_channels=hidden_channels,
                has_border_indicator=has_border_indicator,
                seed=seed,
                dtype=dtype,
            )
            self.scale = tf.Variable(tf.ones([], dtype), name="scale")

    @property
    def conditions(self) -> Mapping[str, Condition]:
        return getattr(self.conditioner, "conditions", {})

    @property
    def can_fold(self) -> bool:
        # A class that has a call of its own computes something else than its `on_image`.
        net = type(self.conditioner)
        return issubclass(net, Conditioner) and net.__call__ is Conditioner.__call__

    def forward_image(self, x: Image, **conditions: Any) -> tuple[Image, tf.Tensor]:
        x0, x1 = x.split(self._halves)
        shift, log_scale = self._shift_and_log_scale(x0, conditions)
        y1 = x1.mapped(
            lambda x1, shift, log_scale: (x1 - shift) * tf.exp(-log_scale), shift, log_scale
        )
        return x0.joined(y1), -log_scale.summed()

    def inverse_image(self, y: Image, **conditions: Any) -> tuple[Image, tf.Tensor]:
        y0, y1 = y.split(self._halves)
        shift, log_scale = self._shift_and_log_scale(y0, conditions)
        x1 = y1.mapped(
            lambda y1, shift, log_scale: y1 * tf.exp(log_scale) + shift, shift, log_scale
        )
        return y0.joined(x1), log_scale.summed()

    @property
    def _halves(self) -> tuple[int, int]:
        return self.channels // 2, self.channels - self.channels // 2

    def _shift_and_log_scale(self, x0: Image, conditions: Mapping) -> tuple[Image, Image]:
        parts = (self._halves[1],) * 2
        if self.can_fold and isinstance(self.conditioner, Conditioner):
            result = self.conditioner.on_image(x0, parts=parts, **conditions)
        else:
            values = {
                name: value.values if self.conditions[name].is_image else value
                for name, value in conditions.items()
            }
            result = x0.mapped(lambda x0: self.conditioner(x0, **values))
        shift, raw = result.split(parts)
        return shift, raw.mapped(lambda raw: self.scale * tf.tanh(raw))
