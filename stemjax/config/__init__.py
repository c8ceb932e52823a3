"""Frozen configuration dataclasses, tables and presets, without jax or TensorFlow."""
