"""Models of other projects, as noise models of this library."""

from tfp_noiseflow.interop.released_checkpoint import load_released_checkpoint

__all__ = ["load_released_checkpoint"]
