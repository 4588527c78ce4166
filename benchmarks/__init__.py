"""Measurements of speed, run from the checkout: `python -m benchmarks.speed`."""
