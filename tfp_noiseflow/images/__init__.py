"""Images with the operations that layers need, in two forms: equations are written once."""

from tfp_noiseflow.images.image import Image
from tfp_noiseflow.images.plain import PlainImage

__all__ = ["Image", "PlainImage"]
