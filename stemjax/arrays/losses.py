"""Distances between two signals of one example (EnCodec, sec. 3.4).

multi_scale_mel_distance: mean absolute difference of log10 mel spectra over windows.
tone_distance: relative difference of root magnitudes in bands as narrow as notes.
wave_distance: mean absolute difference of samples.
level_difference: ratio of root mean squares in dB.
si_sdr: scale-invariant signal-to-distortion ratio, Le Roux et al. 2019, zero-mean.
"""

import jax.numpy as jnp

from stemjax.arrays.bands import band_magnitude
from stemjax.arrays.mel import OVERLAP, log_mel
from stemjax.config.codec import CodecObjective

ROOT_FLOOR = 1e-4  # magnitude (-80 dB): keeps the root's gradient and ratio finite


def bins_of(window: int, most: int) -> int:
    """Number of mel bands of one window: window / 8, at least 1 and at most `most`.

    A short window has too few frequency bins to resolve more bands.
    """
    return min(most, max(1, window // 8))


def multi_scale_mel_distance(a, b, cfg: CodecObjective, sample_rate: int):
    """Distance of log10 mel spectra, mean over `cfg.mel_windows`: [N], [N] -> [].

    Per window: the mean absolute difference plus `cfg.mel_l2_weight` times the root
    mean square difference (EnCodec, eq. 3).  The unit is decades of magnitude: 0.05 is
    1 dB.
    """
    total = 0.0
    for window in cfg.mel_windows:
        options = {
            "sample_rate": sample_rate,
            "window": window,
            "hop": window // OVERLAP,
            "bins": bins_of(window, cfg.mel_bins),
            "floor": cfg.mel_floor,
        }
        difference = log_mel(a, **options) - log_mel(b, **options)
        total += jnp.mean(jnp.abs(difference))
        if cfg.mel_l2_weight:
            # The constant keeps the root's gradient finite when a equals b.
            total += cfg.mel_l2_weight * jnp.sqrt(jnp.mean(difference**2) + 1e-12)
    return total / len(cfg.mel_windows)


def tone_distance(a, b, cfg: CodecObjective, sample_rate: int):
    """Distance of the loud partials of a and b, relative to b: [N], [N] -> [].

    For each spectrum of `cfg.tone_bands`: sum |sqrt(A) - sqrt(B)| / sum sqrt(B) of the
    magnitudes A and B; the result is the mean over the spectra.  0: equal; 1: a is
    silent.  A log distance would weigh all bands equally, and most hold no partial.
    """
    total = 0.0
    for band in cfg.tone_bands:
        roots = [
            jnp.sqrt(band_magnitude(x, band, sample_rate) + ROOT_FLOOR) for x in (a, b)
        ]
        total += jnp.mean(jnp.abs(roots[0] - roots[1])) / jnp.mean(roots[1])
    return total / len(cfg.tone_bands)


def wave_distance(a, b):
    """Mean absolute difference of samples: [N], [N] -> []."""
    return jnp.mean(jnp.abs(a - b))


def level_difference(a, b, floor: float = 1e-10):
    """Level of a minus level of b, in dB of root mean square: [N], [N] -> [].

    `floor` is a mean square added to both.
    """
    ratio = (jnp.mean(a**2) + floor) / (jnp.mean(b**2) + floor)
    return 10 * jnp.log10(ratio)


def si_sdr(estimate, reference, floor: float = 1e-12):
    """Scale-invariant signal-to-distortion ratio in dB: [N], [N] -> [].

    The mean of both signals is removed.  `floor` is a mean square added to target and
    distortion; 1e-12 is -120 dB of full scale.  A perfect estimate therefore scores the
    reference's level above -120 dB, and a silent estimate scores 0.
    """
    estimate = estimate - jnp.mean(estimate)
    reference = reference - jnp.mean(reference)
    gain = jnp.mean(estimate * reference) / (jnp.mean(reference**2) + floor)
    target = gain * reference
    distortion = jnp.mean((estimate - target) ** 2)
    return 10 * jnp.log10((jnp.mean(target**2) + floor) / (distortion + floor))
