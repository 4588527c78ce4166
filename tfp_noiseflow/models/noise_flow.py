"""Noise Flow (Abdelhamed, Brubaker, Brown, ICCV 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from tfp_noiseflow.bijectors.affine_coupling import AffineCoupling
from tfp_noiseflow.bijectors.condition_table import ConditionTable
from tfp_noiseflow.bijectors.conditional_bijector import ConditionalBijector
from tfp_noiseflow.bijectors.conditional_chain import ConditionalChain
from tfp_noiseflow.bijectors.gain import Gain
from tfp_noiseflow.bijectors.invertible_conv1x1 import InvertibleConv1x1
from tfp_noiseflow.bijectors.rearranged import Rearranged, Reordered, Squeezed
from tfp_noiseflow.bijectors.signal_dependent import SignalDependent
from tfp_noiseflow.bijectors.unconditional import Unconditional
from tfp_noiseflow.models.architecture import parse_architecture
from tfp_noiseflow.models.cameras import checked_cameras, checked_iso_levels
from tfp_noiseflow.models.noise_model import NoiseModel

tfb = tfp.bijectors


class NoiseFlow(NoiseModel):
    """A conditional normalizing flow of camera noise.

    ```none
    density   noise -> S -> A.. -> G -> A.. -> N(0, I)
    ```

    Args:
      architecture: the layers in density order, as the paper writes them: "S-G", "S-G-CAM",
        "S-Ax1-G-Ax1-CAM", "S-Ax4-G-Ax4-CAM", "Ax4". S is `SignalDependent`, G `Gain`, A a flow
        step (`InvertibleConv1x1`, then `AffineCoupling`), CAM gives G a factor for each camera.
        Beyond the paper: N is an S whose beta and gain each camera has for itself, C one constant
        factor; the released model is "N-Ax4-C-Ax4".
      cameras: names; needed with CAM and N.
      iso_levels: the ISOs that captures may have; needed with G and N.
      channels: of the images; 4 for packed Bayer. 1 (a plane or mosaic) is squeezed 2x2 to 4
        inside, so that H and W must be even then.
      hidden_channels: width of the couplings' networks; 4 gives about 2100 parameters.
      has_border_indicator: whether the couplings' last convolutions see the image's border.
      channel_order, is_transposed: for flows that were trained on another arrangement of the
        images: for each channel that the layers see, the channel of the images, and whether they
        see rows as columns. None: the images' own order.
      dtype: tf.float32 or tf.float64 (or its name), of variables and images.
      seed: of the initial weights; None: random ones.

    Raises:
      ValueError: an architecture that is not understood; cameras or iso_levels missing, empty,
        repeated or (ISO) not positive; fewer than 1 channel, or 2 and more than that for A.

    #### References
    [1]: Abdelhamed, Brubaker, Brown. Noise Flow: Noise Modeling with Conditional Normalizing
         Flows. ICCV 2019. Section 3 and table 2.
    """

    def __init__(
        self,
        architecture: str = "S-Ax4-G-Ax4-CAM",
        cameras: Sequence[str] | None = ("IP", "GP", "S6", "N6", "G4"),
        iso_levels: Sequence[float] | None = (100, 400, 800, 1600, 3200),
        channels: int = 4,
        hidden_channels: int = 4,
        has_border_indicator: bool = False,
        channel_order: Sequence[int] | None = None,
        is_transposed: bool = False,
        dtype=tf.float32,
        seed: int | None = None,
    ):
        parsed = parse_architecture(architecture)
        dtype = tf.as_dtype(dtype)
        is_by_camera = parsed.has_camera_factors or "N" in parsed.layers
        cameras = checked_cameras(cameras, is_needed=is_by_camera)
        iso_levels = checked_iso_levels(iso_levels, is_needed=bool({"G", "N"} & {*parsed.layers}))
        if channels < 1:
            raise ValueError(f"expected channels >= 1, received {channels}.")
        self.architecture = architecture
        self.hidden_channels = hidden_channels
        self.has_border_indicator = has_border_indicator
        self.channel_order = None if channel_order is None else tuple(channel_order)
        self.is_transposed = is_transposed
        inner_channels = 4 if channels == 1 else channels
        seeds = iter(np.random.SeedSequence(seed).spawn(2 * parsed.layers.count("A")))
        gain = None
        if "G" in parsed.layers:
            num_cameras = len(cameras) if parsed.has_camera_factors else None
            gain = Gain(iso_levels, num_cameras, dtype=dtype)

        def flow_step(number):
            return [
                InvertibleConv1x1(
                    inner_channels, seed=next(seeds), dtype=dtype, name=f"conv1x1_{number}"
                ),
                AffineCoupling(
                    inner_channels,
                    hidden_channels=hidden_channels,
                    has_border_indicator=has_border_indicator,
                    seed=next(seeds),
                    dtype=dtype,
                    name=f"coupling_{number}",
                ),
            ]

        def signal_dependent_by_camera(number):
            def table(initial, name, **axes):
                return ConditionTable(
                    initial, num_cameras=len(cameras), dtype=dtype, name=name, **axes
                )

            log_u = table(np.log(1 / 200), "log_u", iso_levels=iso_levels)
            return [
                SignalDependent(
                    Gain(log_u=log_u, dtype=dtype),
                    log_beta1=table(-5.0, "log_beta1"),
                    log_beta2=table(0.0, "log_beta2"),
                    dtype=dtype,
                )
            ]

        def constant_gain(number):
            log_gain = tf.Variable(tf.zeros([], dtype), name="log_gain")
            scale = tfb.Scale(log_scale=log_gain)
            return [Unconditional(scale, dtype=dtype, name="constant_gain")]

        builders = {
            "S": lambda number: [SignalDependent(gain, dtype=dtype)],
            "N": signal_dependent_by_camera,
            "G": lambda number: [gain],
            "C": constant_gain,
            "A": flow_step,
        }
        layers = []
        for position, letter in enumerate(parsed.layers):
            number = parsed.layers[: position + 1].count(letter)
            layers += builders[letter](number)
        bijector = ConditionalChain(layers, dtype=dtype, name="noise_flow")
        if self.channel_order is not None or is_transposed:
            order = self.channel_order or tuple(range(inner_channels))
            bijector = Reordered(
                bijector, order, is_transposed=is_transposed, name="noise_flow_reordered"
            )
        if channels == 1:
            bijector = Squeezed(bijector, name="noise_flow_squeezed")
        super().__init__(
            bijector,
            cameras=cameras,
            iso_levels=iso_levels,
            channels=channels,
            name="noise_flow",
        )

    @property
    def layers(self) -> dict[str, ConditionalBijector]:
        """The layers by name, in density order, without what rearranges images around them."""
        chain = self.bijector
        while isinstance(chain, Rearranged):
            chain = chain.bijector
        return {layer.name: layer for layer in chain.bijectors}

    def start_layers_from(self, other: NoiseFlow) -> list[str]:
        """Takes over the variables of another flow's layers, where it has them.

        A flow whose noise level functions are trained first, as "S-G-CAM" or "N", spares the flow
        steps from modelling what these layers are for while they are on their way.

        Args:
          other: a flow of the same cameras and ISOs.

        Returns:
          The names of the layers that were taken over.

        Raises:
          ValueError: no layer has its name and its variables' shapes.
        """

        def shapes(layer):
            return [variable.shape for variable in layer.variables]

        taken = [
            name
            for name, layer in self.layers.items()
            if name in other.layers and shapes(other.layers[name]) == shapes(layer)
        ]
        if not taken or (self.cameras, self.iso_levels) != (other.cameras, other.iso_levels):
            raise ValueError(
                f"expected a flow with layers among {list(self.layers)} for the same cameras and "
                f"ISOs, received {other} with {list(other.layers)}."
            )
        for name in taken:
            pairs = zip(self.layers[name].variables, other.layers[name].variables, strict=True)
            for target, source in pairs:
                target.assign(tf.cast(source, target.dtype))
        return taken

    def get_config(self) -> dict:
        return {
            "architecture": self.architecture,
            "cameras": None if self.cameras is None else list(self.cameras),
            "iso_levels": None if self.iso_levels is None else list(self.iso_levels),
            "channels": self.channels,
            "hidden_channels": self.hidden_channels,
            "has_border_indicator": self.has_border_indicator,
            "channel_order": None if self.channel_order is None else list(self.channel_order),
            "is_transposed": self.is_transposed,
            "dtype": self.dtype.name,
        }

    def __repr__(self) -> str:
        isos = "none" if self.iso_levels is None else ", ".join(f"{i:g}" for i in self.iso_levels)
        cameras = "none" if self.cameras is None else ", ".join(self.cameras)
        return (
            f"NoiseFlow({self.architecture}: {self.number_of_parameters} parameters, "
            f"{self.channels} channels, {self.dtype.name}; cameras {cameras}; ISO {isos})"
        )
