"""Simulated captures: clean images, and the processes that give them noise."""
