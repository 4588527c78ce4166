"""What a model may depend on, checked in one place, and what it knows of that."""

from tfp_noiseflow.conditions.conditions import Camera, CleanImage, Condition, Iso
from tfp_noiseflow.conditions.known import Known

__all__ = ["Camera", "CleanImage", "Condition", "Iso", "Known"]
