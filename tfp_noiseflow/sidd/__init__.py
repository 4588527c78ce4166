"""The SIDD data set as captures."""

from tfp_noiseflow.sidd.images import Patches
from tfp_noiseflow.sidd.import_sidd import import_sidd

__all__ = ["Patches", "import_sidd"]
