"""Distances between two signals [N]: multi-scale mel, waveform, SI-SDR."""

import jax.numpy as jnp

from stemjax.arrays.mel import log_mel


def bins_for(window: int, most: int) -> int:
    """Mel bins for a window: no more than it can resolve, [8, most]."""
    return max(8, min(most, window // 8))


def multi_scale_mel_distance(a, b, *, sample_rate: int, windows, bins: int):
    """Mean over windows of the mean absolute difference of log10 mels; [N], [N] -> []."""
    total = 0.0
    for window in windows:
        args = {"sample_rate": sample_rate, "window": window}
        args["bins"] = bins_for(window, bins)
        total += jnp.mean(jnp.abs(log_mel(a, **args) - log_mel(b, **args)))
    return total / len(windows)


def si_sdr(estimate, reference, epsilon: float = 1e-8):
    """Scale-invariant signal-to-distortion ratio in dB, zero-mean; [N], [N] -> []."""
    estimate = estimate - jnp.mean(estimate)
    reference = reference - jnp.mean(reference)
    energy = jnp.sum(reference**2)
    target = jnp.sum(estimate * reference) / (energy + epsilon) * reference
    noise = estimate - target
    ratio = (jnp.sum(target**2) + epsilon) / (jnp.sum(noise**2) + epsilon)
    return 10 * jnp.log10(ratio)
