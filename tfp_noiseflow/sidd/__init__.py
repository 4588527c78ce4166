"""The SIDD data set as captures."""

from tfp_noiseflow.sidd.images import Patches
from tfp_noiseflow.sidd.import_sidd import Sidd, import_sidd

__all__ = ["Patches", "Sidd", "import_sidd"]
