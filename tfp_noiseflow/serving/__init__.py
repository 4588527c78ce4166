"""Noise models behind TF Serving."""

from tfp_noiseflow.serving.export import export_saved_model

__all__ = ["export_saved_model"]
