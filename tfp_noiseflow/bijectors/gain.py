"""G, the gain layer of Noise Flow (paper, equations 15 and 16)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow_probability.python.internal import parameter_properties

from tfp_noiseflow.composition.layer import Layer
from tfp_noiseflow.conditions.conditions import Condition, Iso, merged
from tfp_noiseflow.images.image import Image
from tfp_noiseflow.laws import ConditionTable, InterpolatedTable, Law, as_law


class Gain(Layer):
    """Scales noise by the gain that a camera applies at an ISO.

    ```none
    gamma   = psi_camera * u(ISO) * ISO,  u = exp(v_ISO),  psi = exp(.)
    forward   y = gamma * x
    inverse   x = y / gamma
    fldj      H W C log gamma
    ```

    Conditions: `iso` and those of the laws: by default one of the levels and, with camera factors,
    `camera` (an index).

    Args:
      iso_levels: the ISOs that captures may have; each has its own u, which starts at 1/200.
      num_cameras: number of cameras with a factor psi of their own, which starts at 1; None: no
        camera factors, psi = 1 (the paper's models without CAM).
      interpolates: whether log u is interpolated in log ISO between iso_levels and stays as it is
        outside of them, where gamma is proportional to ISO: then any ISO is known.
      log_u, log_psi: what to use instead: a law, such as a table, for other initial values or
        other dependencies (log_u may depend on the camera too); a number, from which a variable
        is made; or a variable or tensor, which is used as it is, one for all cameras and ISOs.
      dtype: float32 or float64.
      name: of the layer; also TFP's key for its conditions in a composition.

    Raises:
      ValueError: laws by channel: a gain is one for all.

    #### References
    [1]: Abdelhamed, Brubaker, Brown. Noise Flow: Noise Modeling with Conditional Normalizing
         Flows. ICCV 2019. Equations 15, 16 and section 3.3.
    """

    def __init__(
        self,
        iso_levels: tuple[float, ...] | None = (100.0, 400.0, 800.0, 1600.0, 3200.0),
        num_cameras: int | None = None,
        *,
        interpolates: bool = False,
        log_u: Law | float | tf.Tensor | None = None,
        log_psi: Law | float | tf.Tensor | None = None,
        dtype: tf.DType = tf.float32,
        name: str = "gain",
    ):
        parameters = dict(locals())
        with tf.name_scope(name) as name:
            super().__init__(dtype=dtype, parameters=parameters, name=name)
            if log_u is None:
                initial_log_u = tf.math.log(tf.constant(1 / 200, dtype)).numpy()
                table: Callable[..., Law] = InterpolatedTable if interpolates else ConditionTable
                log_u = table(initial_log_u, iso_levels=iso_levels, dtype=dtype, name="log_u")
            if log_psi is None and num_cameras is not None:
                log_psi = ConditionTable(0.0, num_cameras=num_cameras, dtype=dtype, name="log_psi")
            self.log_u = as_law(log_u, 0.0, dtype=dtype, name="log_u")
            self.log_psi = None
            if log_psi is not None:
                self.log_psi = as_law(log_psi, 0.0, dtype=dtype, name="log_psi")
            if any(law.channels is not None for law in self._laws):
                raise ValueError(
                    f"{name}: expected laws for all channels, received one by channel."
                )

    @classmethod
    def _parameter_properties(cls, dtype: tf.DType) -> dict[str, Any]:
        return {
            "log_u": parameter_properties.ParameterProperties(event_ndims=0),
            # Beside log_u it is one number too many, unless cameras differ in it.
            "log_psi": parameter_properties.ParameterProperties(event_ndims=0, is_preferred=False),
        }

    @property
    def _laws(self) -> list[Law]:
        return [law for law in (self.log_u, self.log_psi) if law is not None]

    @property
    def conditions(self) -> Mapping[str, Condition]:
        return merged({"iso": Iso()}, *(law.conditions for law in self._laws))

    @property
    def is_scaling(self) -> bool:
        return True

    @property
    def can_fold(self) -> bool:
        return all(law.batch_shape.rank == 0 for law in self._laws)

    def log_gain(self, *, iso: tf.Tensor, camera: tf.Tensor | None = None) -> tf.Tensor:
        """log gamma of a batch, shape [..] of iso and camera."""
        log_gain = self.log_u.at(iso=iso, camera=camera) + tf.math.log(iso)
        if self.log_psi is not None:
            log_gain += self.log_psi.at(iso=iso, camera=camera)
        return log_gain

    def physical_parameters(self, cameras: Sequence[str] | None = None) -> dict[str, tf.Tensor]:
        """`gamma(ISO ..)` at psi = 1, and `psi(..)`, by all that they depend on."""
        shown: dict[str, tf.Tensor] = {}
        if "iso" in self.log_u.conditions:
            gamma = self.log_u.shown_values(lambda v, given: tf.exp(v) * given["iso"], cameras)
            shown |= {f"gamma{label}": value for label, value in gamma.items()}
        if self.log_psi is not None:
            psi = self.log_psi.shown_values(lambda v, given: tf.exp(v), cameras)
            shown |= {f"psi{label}": value for label, value in psi.items()}
        return shown

    def forward_image(self, x: Image, **conditions: Any) -> tuple[Image, tf.Tensor]:
        log_gain = self.log_gain(**conditions)
        gain = x.spread(tf.exp(log_gain))
        return x.mapped(lambda x: x * gain), x.dimensions * log_gain

    def inverse_image(self, y: Image, **conditions: Any) -> tuple[Image, tf.Tensor]:
        log_gain = self.log_gain(**conditions)
        gain = y.spread(tf.exp(-log_gain))
        return y.mapped(lambda y: y * gain), -y.dimensions * log_gain
