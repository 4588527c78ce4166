"""Noise of static scenes from differences of frames: variance against level, by channel."""

from tfp_noiseflow.photon_transfer.pair import ChannelEstimate, PairEstimate, estimate_pair

__all__ = ["ChannelEstimate", "PairEstimate", "estimate_pair"]
