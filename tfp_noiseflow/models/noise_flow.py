"""Noise Flow (Abdelhamed, Brubaker, Brown, ICCV 2019)."""

from __future__ import annotations

import types
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfp_noiseflow.choices import RECOMMENDED_ARCHITECTURE
from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.composition.conditional_chain import ConditionalChain
from tfp_noiseflow.composition.rearranged import Rearranged, Reordered, Squeezed
from tfp_noiseflow.conditions.camera_names import checked_cameras
from tfp_noiseflow.conditions.conditions import Camera, Condition, Iso
from tfp_noiseflow.laws import CameraLaw
from tfp_noiseflow.models import letters as _letters  # noqa: F401 - registers them.
from tfp_noiseflow.models.architecture import Context, parse_architecture
from tfp_noiseflow.models.noise_model import NoiseModel

# Taken whatever the letters, so that one training command serves all architectures.
ALWAYS_OPTIONS = ("hidden_channels", "has_border_indicator")

# Of the other terms of a law, for a term of 0 that training may move: not seen in a likelihood, and
# as a logarithm within reach of any learning rate.
STARTING_SHARE = 1e-3


class NoiseFlow(NoiseModel):
    """A conditional normalizing flow of camera noise.

    ```none
    density   noise -> S -> A.. -> G -> A.. -> N(0, I)
    ```

    Args:
      architecture: the layers in density order, as the paper writes them: "S-G", "S-G-CAM",
        "S-Ax1-G-Ax1-CAM", "S-Ax4-G-Ax4-CAM", "Ax4". S is `SignalDependent`, G `Gain`, A a flow
        step (`InvertibleConv1x1`, then `AffineCoupling`), CAM gives G a factor for each camera.
        Beyond the paper: L is an S of each camera's law (`CameraLaw`) on the clean image as it is,
        for any ISO; R, behind S, N or L, what the pixels of a row share (`RowNoise`); P, the skew
        and the power-law tails of each pixel (`PowerTailedShape`), or T, with tails that are
        lighter than those or than a Gaussian's (`MarginalShape`); B a flow step whose network sees
        what the noise of each pixel is made of (`PixelNoiseConditioner`). The default "L-R-P" is
        the recommended model, some 50 parameters; in `StoredNoise` where codes are stored. N is an
        S whose beta and gain each camera has for itself, C one constant factor; the released model
        is "N-Ax4-C-Ax4".
      cameras: names; needed with CAM and N. None with L: one law for all.
      iso_levels: the ISOs that captures may have; needed with G and N, not used by L.
      channels: of the images; 4 for packed Bayer. 1 (a plane or mosaic) is squeezed 2x2 to 4
        inside, so that H and W must be even then.
      hidden_channels: width of the couplings' networks; 4 gives about 2100 parameters.
      has_border_indicator: whether the couplings' last convolutions see the image's border.
      channel_order, is_transposed: for flows that were trained on another arrangement of the
        images: for each channel that the layers see, the channel of the images, and whether they
        see rows as columns. None: the images' own order.
      dtype: tf.float32 or tf.float64 (or its name), of variables and images.
      seed: of the initial weights; None: random ones.
      **options: what further letters take (`register_layer`).
        interpolates_gain, of G and N: whether u is interpolated, log u in log ISO, between
        iso_levels and held outside of them, so that the flow knows any ISO (`with_any_iso`).
        laws, of L: a `CameraLaw` for each camera, of its name, where training starts; by default
        all start as a noisy phone. A number that is 0 there stays 0. Those of captures
        (`fit_camera_laws`) are a start for `start_at_laws`.
        has_law_by_channel, of L: whether each channel has a law of its own, in the order in which
        the layers see the channels.
        has_shape_by_camera, of T: whether each camera has numbers of its own.
        law_knots, of L: ISOs at which log beta1 and log beta2 have a learned correction, 0 at the
        start: linear in log ISO between them and constant outside.

    Raises:
      ValueError: an architecture that is not understood, or with T or R before what they share;
        is_transposed with R; cameras or iso_levels missing, empty,
        repeated or (ISO) not positive; fewer than 1 channel, or 2 and more than that for A;
        options that no letter takes.

    #### References
    [1]: Abdelhamed, Brubaker, Brown. Noise Flow: Noise Modeling with Conditional Normalizing
         Flows. ICCV 2019. Section 3 and table 2.
    """

    def __init__(
        self,
        architecture: str = RECOMMENDED_ARCHITECTURE,
        cameras: Sequence[str] | None = ("IP", "GP", "S6", "N6", "G4"),
        iso_levels: Sequence[float] | None = (100, 400, 800, 1600, 3200),
        channels: int = 4,
        hidden_channels: int = 4,
        has_border_indicator: bool = False,
        channel_order: Sequence[int] | None = None,
        is_transposed: bool = False,
        dtype: tf.DType = tf.float32,
        seed: int | None = None,
        **options: Any,
    ):
        parsed = parse_architecture(architecture)
        dtype = tf.as_dtype(dtype)
        cameras = checked_cameras(cameras)
        if channels < 1:
            raise ValueError(f"expected channels >= 1, received {channels}.")
        self.architecture = architecture
        self.channel_order = None if channel_order is None else tuple(channel_order)
        self.is_transposed = is_transposed
        given = {
            "hidden_channels": hidden_channels,
            "has_border_indicator": has_border_indicator,
            **{name: _as_json(value) for name, value in options.items()},
        }
        # Not a dict: TensorFlow would track it, and JSON not take what it makes of lists in it.
        self.options = types.MappingProxyType(given)
        known = {*ALWAYS_OPTIONS, *parsed.options()}
        if unknown := sorted({*self.options} - known):
            raise ValueError(
                f"expected options of {architecture} among {sorted(known)}, received {unknown}."
            )
        # What the flow may be told besides what its layers need.
        further: dict[str, Condition] = {}
        if cameras is not None:
            further["camera"] = Camera(len(cameras), is_needed=False)
        levels = None
        if iso_levels is not None and len(iso_levels):
            levels = Iso(tuple(iso_levels), is_needed=False)
            further["iso"] = levels
        inner_channels = 4 if channels == 1 else channels
        order = self.channel_order or tuple(range(inner_channels))
        context = Context(
            inner_channels,
            dtype,
            parsed.has_camera_factors,
            {**parsed.options(), **self.options},
            cameras,
            None if levels is None else levels.levels,
            np.random.SeedSequence(seed),
            order,
            is_transposed,
        )
        layers = parsed.build(context)
        if any("iso" in layer.conditions for layer in layers):
            # They say themselves which ISOs they know.
            further.pop("iso", None)
        bijector: ConditionalBijector = ConditionalChain(
            layers, conditions=further, dtype=dtype, name="noise_flow"
        )
        if self.channel_order is not None or is_transposed:
            bijector = Reordered(
                bijector, order, is_transposed=is_transposed, name="noise_flow_reordered"
            )
        if channels == 1:
            bijector = Squeezed(bijector, name="noise_flow_squeezed")
        super().__init__(bijector, cameras=cameras, channels=channels, name="noise_flow")
        self._iso_levels = None
        if levels is not None and (context.needs_iso_levels or self.iso_levels is not None):
            self._iso_levels = list(levels.levels or ())
        self.trained_iso_range = self._first_iso_range()

    @classmethod
    def from_laws(
        cls, laws: CameraLaw | Sequence[CameraLaw], architecture: str = "L", **options: Any
    ) -> NoiseFlow:
        """A noise model of cameras' laws, that needs no training.

        ```python
        (table,) = nf.read_camera_tables("my_camera.csv")
        model = nf.NoiseFlow.from_laws(table.fit().law)
        noise = model(clean, iso=640, camera=table.camera)
        ```

        Args:
          laws: one, or one for each camera; `camera` of each is its name. One alone may have none:
            the model then does not tell cameras apart. Where one has numbers for each channel, all
            have in the model.
          architecture: with an L; "L" is the laws' noise, independent Gaussians, and "L-Ax8" a flow
            that starts there.
          **options: as for the constructor.

        Raises:
          ValueError: names that are repeated, or missing of several; an architecture without L;
            laws of channels that do not fit the images'.
        """
        laws = (laws,) if isinstance(laws, CameraLaw) else tuple(laws)
        names = [law.camera for law in laws]
        if not laws or (len(laws) > 1 and "" in names):
            raise ValueError(f"expected a law, or several of named cameras, received {names}.")
        is_by_channel = any(law.channels > 1 for law in laws)
        return cls(
            architecture,
            cameras=None if names == [""] else names,
            iso_levels=options.pop("iso_levels", None),
            **{"has_law_by_channel": is_by_channel, "laws": laws, **options},
        )

    def _first_iso_range(self) -> tuple[float, float] | None:
        """Of the numbers that the flow starts with."""
        if self._iso_levels is not None:
            return min(self._iso_levels), max(self._iso_levels)
        ranges = [law.get("iso_range") for law in self.options.get("laws") or ()]
        if not ranges or None in ranges:
            return None
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def with_any_iso(self) -> NoiseFlow:
        """A flow of the same values whose gain is interpolated, and that so knows any ISO.

        At the levels of this flow it computes the same, to rounding. Between them log u is linear
        in log ISO, outside of them u stays: gamma is proportional to ISO there.
        `trained_iso_range` tells where the levels were.

        Returns:
          A NoiseFlow with variables of its own; a flow that knows any ISO is returned as it is.

        Raises:
          ValueError: the architecture has no gain by ISO: neither G nor N.
        """
        if self.known.iso.levels is None:
            return self
        if "interpolates_gain" not in parse_architecture(self.architecture).options():
            raise ValueError(
                f"expected an architecture with a gain by ISO (G or N), received {self}."
            )
        flow = NoiseFlow.from_config({**self.get_config(), "interpolates_gain": True})
        for target, source in zip(flow.variables, self.variables, strict=True):
            target.assign(source)
        flow.licence, flow.origin = self.licence, self.origin
        flow.trained_iso_range = self.trained_iso_range
        return flow

    @property
    def hidden_channels(self) -> int:
        """The width of the couplings' networks."""
        return self.options["hidden_channels"]

    @property
    def has_border_indicator(self) -> bool:
        """Whether the couplings' last convolutions see the image's border."""
        return self.options["has_border_indicator"]

    @property
    def has_laws(self) -> bool:
        """Whether its noise begins with cameras' laws: an L in its architecture."""
        return "laws" in parse_architecture(self.architecture).options()

    @property
    def layers(self) -> dict[str, ConditionalBijector]:
        """The layers by name, in density order, without what rearranges images around them."""
        chain = self.bijector
        while isinstance(chain, Rearranged):
            chain = chain.bijector
        assert isinstance(chain, ConditionalChain)
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

        def shapes(layer: tf.Module) -> list[tf.TensorShape]:
            return [variable.shape for variable in layer.variables]

        taken = [
            name
            for name, layer in self.layers.items()
            if name in other.layers and shapes(other.layers[name]) == shapes(layer)
        ]
        known = [(flow.cameras, flow.known.iso.known) for flow in (self, other)]
        if not taken or known[0] != known[1]:
            raise ValueError(
                f"expected a flow with layers among {list(self.layers)} for the same cameras and "
                f"ISOs, received {other} with {list(other.layers)}."
            )
        for name in taken:
            pairs = zip(self.layers[name].variables, other.layers[name].variables, strict=True)
            for target, source in pairs:
                target.assign(tf.cast(source, target.dtype))
        return taken

    def start_at_laws(self, laws: Sequence[CameraLaw]) -> None:
        """Sets the laws of an L, where training goes on from; all else stays as it is.

        Unlike the option `laws` this is no part of the configuration, and a number that is 0 stands
        as a thousandth of the others over the law's ISOs, so that training can move it. Corrections
        at knots become 0.

        Args:
          laws: one for each camera, of its name; with cameras=None one without a name.

        Raises:
          ValueError: an architecture without L, laws of other cameras or channels.
        """
        if not self.has_laws:
            raise ValueError(f"expected an architecture with the letter L, received {self}.")
        laws = [_that_training_can_move(law) for law in laws]
        start = NoiseFlow.from_config({**self.get_config(), "laws": laws})
        targets, sources = (flow.layers["signal_dependent"].variables for flow in (self, start))
        for target, source in zip(targets, sources, strict=True):
            target.assign(source)

    @property
    def in_words(self) -> str:
        return f"a flow, noise first: {parse_architecture(self.architecture).in_words}"

    def get_config(self) -> dict:
        return {
            "architecture": self.architecture,
            "cameras": None if self.cameras is None else list(self.cameras),
            "iso_levels": self._iso_levels and list(self._iso_levels),
            "channels": self.channels,
            **self.options,
            "channel_order": None if self.channel_order is None else list(self.channel_order),
            "is_transposed": self.is_transposed,
            "dtype": self.dtype.name,
        }

    def __repr__(self) -> str:
        isos = self.known.iso.known or "any"
        cameras = "none" if self.cameras is None else ", ".join(self.cameras)
        return (
            f"NoiseFlow({self.architecture}: {self.number_of_parameters} parameters, "
            f"{self.channels} channels, {self.dtype.name}; cameras {cameras}; ISO {isos})"
        )


def _that_training_can_move(law: CameraLaw) -> CameraLaw:
    about = {"camera": law.camera, "origin": law.origin, "iso_range": law.iso_range}
    isos = {} if law.iso_range is None else {"iso_range": law.iso_range}
    return CameraLaw.from_five_numbers(law.five_numbers(STARTING_SHARE, **isos), **about)


def _as_json(value: Any) -> Any:
    """An option as JSON can hold it: laws as what `CameraLaw.from_config` takes."""
    if isinstance(value, CameraLaw):
        return value.to_config()
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    return value
