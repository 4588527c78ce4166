"""Conditional bijectors on images: one a file, tensors only."""

from tfp_noiseflow.bijectors.affine_coupling import AffineCoupling
from tfp_noiseflow.bijectors.bound import Bound
from tfp_noiseflow.bijectors.condition_table import ConditionTable
from tfp_noiseflow.bijectors.conditional_bijector import ConditionalBijector
from tfp_noiseflow.bijectors.conditional_chain import ConditionalChain
from tfp_noiseflow.bijectors.conditioner import ConvolutionalConditioner
from tfp_noiseflow.bijectors.gain import Gain
from tfp_noiseflow.bijectors.invertible_conv1x1 import InvertibleConv1x1
from tfp_noiseflow.bijectors.rearranged import Rearranged, Reordered, Squeezed
from tfp_noiseflow.bijectors.signal_dependent import SignalDependent
from tfp_noiseflow.bijectors.unconditional import Unconditional

__all__ = [
    "AffineCoupling",
    "Bound",
    "ConditionTable",
    "ConditionalBijector",
    "ConditionalChain",
    "ConvolutionalConditioner",
    "Gain",
    "InvertibleConv1x1",
    "Rearranged",
    "Reordered",
    "SignalDependent",
    "Squeezed",
    "Unconditional",
]
