"""Frozen configuration: tables, dataclasses, presets. Imports neither jax nor TensorFlow."""
