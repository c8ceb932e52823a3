"""Frozen configuration: tables and presets. Imports neither jax nor TensorFlow."""
