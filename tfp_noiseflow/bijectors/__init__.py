"""Conditional bijectors on images: the layers, one a file, and what they are composed with."""

from tfp_noiseflow.bijectors.affine_coupling import AffineCoupling
from tfp_noiseflow.bijectors.conditioner import Conditioner, ConvolutionalConditioner
from tfp_noiseflow.bijectors.gain import Gain
from tfp_noiseflow.bijectors.invertible_conv1x1 import InvertibleConv1x1
from tfp_noiseflow.bijectors.marginal_shape import MarginalShape
from tfp_noiseflow.bijectors.pixel_noise import PixelNoise
from tfp_noiseflow.bijectors.pixel_noise_conditioner import PixelNoiseConditioner
from tfp_noiseflow.bijectors.power_tailed_shape import PowerTailedShape
from tfp_noiseflow.bijectors.row_noise import RowNoise
from tfp_noiseflow.bijectors.signal_dependent import SignalDependent
from tfp_noiseflow.composition.bound import Bound
from tfp_noiseflow.composition.conditional_bijector import ConditionalBijector
from tfp_noiseflow.composition.conditional_chain import ConditionalChain
from tfp_noiseflow.composition.layer import Layer
from tfp_noiseflow.composition.rearranged import Rearranged, Reordered, Squeezed
from tfp_noiseflow.composition.unconditional import Unconditional
from tfp_noiseflow.conditions import Camera, CleanImage, Iso
from tfp_noiseflow.images import Image
from tfp_noiseflow.laws import ConditionTable, InterpolatedTable, Law, PolynomialLaw, Sum

__all__ = [
    "AffineCoupling",
    "Bound",
    "Camera",
    "CleanImage",
    "ConditionTable",
    "ConditionalBijector",
    "ConditionalChain",
    "Conditioner",
    "ConvolutionalConditioner",
    "Gain",
    "Image",
    "InterpolatedTable",
    "InvertibleConv1x1",
    "Iso",
    "Law",
    "Layer",
    "MarginalShape",
    "PixelNoise",
    "PixelNoiseConditioner",
    "PolynomialLaw",
    "PowerTailedShape",
    "Rearranged",
    "Reordered",
    "RowNoise",
    "SignalDependent",
    "Squeezed",
    "Sum",
    "Unconditional",
]
