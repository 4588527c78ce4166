"""Layers, and what they are composed with: chains, rearrangements, bound conditions."""
