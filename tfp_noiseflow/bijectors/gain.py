"""G, the gain layer of Noise Flow (paper, equations 15 and 16)."""

from __future__ import annotations

import tensorflow as tf

from tfp_noiseflow.bijectors.condition_table import ConditionTable
from tfp_noiseflow.bijectors.conditional_bijector import (
    ConditionalBijector,
    dimensions,
    over_image,
)
from tfp_noiseflow.bijectors.conditions import merged


class Gain(ConditionalBijector):
    """Scales noise by the gain that a camera applies at an ISO.

    ```none
    gamma   = psi_camera * u(ISO) * ISO,  u = exp(v_ISO),  psi = exp(.)
    forward   y = gamma * x
    inverse   x = y / gamma
    fldj      H W C log gamma
    ```

    Conditions: `iso` (one of the levels) and, with camera factors, `camera` (an index).

    Args:
      iso_levels: the ISOs that captures may have; each has its own u, which starts at 1/200.
      num_cameras: number of cameras with a factor psi of their own, which starts at 1; None: no
        camera factors, psi = 1 (the paper's models without CAM).
      log_u, log_psi: the tables to use instead, for other initial values or other dependencies
        (log_u may depend on the camera too).
      dtype: float32 or float64.
      name: of the layer; also TFP's key for its conditions in a composition.

    #### References
    [1]: Abdelhamed, Brubaker, Brown. Noise Flow: Noise Modeling with Conditional Normalizing
         Flows. ICCV 2019. Equations 15, 16 and section 3.3.
    """

    def __init__(
        self,
        iso_levels=(100.0, 400.0, 800.0, 1600.0, 3200.0),
        num_cameras: int | None = None,
        *,
        log_u: ConditionTable | None = None,
        log_psi: ConditionTable | None = None,
        dtype=tf.float32,
        name: str = "gain",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(dtype=dtype, parameters=parameters, name=name)
            if log_u is None:
                initial_log_u = tf.math.log(tf.constant(1 / 200, dtype))
                log_u = ConditionTable(
                    initial_log_u, iso_levels=iso_levels, dtype=dtype, name="log_u"
                )
            if log_psi is None and num_cameras is not None:
                log_psi = ConditionTable(0.0, num_cameras=num_cameras, dtype=dtype, name="log_psi")
            self.log_u = log_u
            self.log_psi = log_psi

    @property
    def conditions(self):
        return merged(*(t.conditions for t in (self.log_u, self.log_psi) if t is not None))

    def log_gain(self, *, iso: tf.Tensor, camera: tf.Tensor | None = None) -> tf.Tensor:
        """log gamma of a batch, shape [..] of iso and camera."""
        log_gain = self.log_u(iso=iso, camera=camera) + tf.math.log(iso)
        if self.log_psi is not None:
            log_gain += self.log_psi(iso=iso, camera=camera)
        return log_gain

    def physical_parameters(self) -> dict[str, tuple[tuple[str, ...], tf.Tensor]]:
        """`gamma` at psi = 1 by ISO (and camera, where u depends on it), and `psi` by camera."""
        log_u = tf.convert_to_tensor(self.log_u.values)
        iso = tf.constant(self.log_u.iso_levels, log_u.dtype)
        physical = {"gamma": (self.log_u.axes, tf.exp(log_u) * iso)}
        if self.log_psi is not None:
            physical["psi"] = (self.log_psi.axes, tf.exp(self.log_psi.values))
        return physical

    def _forward_and_log_det(self, x, *, iso, camera=None):
        log_gain = self.log_gain(iso=iso, camera=camera)
        return x * over_image(tf.exp(log_gain)), dimensions(x) * log_gain

    def _inverse_and_log_det(self, y, *, iso, camera=None):
        log_gain = self.log_gain(iso=iso, camera=camera)
        return y * over_image(tf.exp(-log_gain)), -dimensions(y) * log_gain
