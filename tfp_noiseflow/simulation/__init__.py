"""Simulated captures: clean images, and the processes that give them noise."""

from tfp_noiseflow.simulation.model_process import ModelProcess
from tfp_noiseflow.simulation.simulate_captures import Process, make_process, simulate_captures

__all__ = ["ModelProcess", "Process", "make_process", "simulate_captures"]
