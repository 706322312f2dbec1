"""What variants and simulations are called, apart from what they do: options can be read without importing that."""

DEFAULT_VARIANTS = ("original", "brighter", "darker", "rotated", "sketch", "swivel")
"""The six that are made by default; their order is that of the recogniser's outputs."""

SIMULATIONS = ("paper", "campaigns")
"""Kinds of simulated conversions."""
