"""Metrics, report and plots: how well a noise model fits captures, beside its baselines."""
