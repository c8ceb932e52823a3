"""Audio of all analyses: 16 kHz mono, one resampler, whole seconds."""

import math

import numpy as np

RATE = 16_000
"""Hz, of the audio that every analysis takes."""
FLAT_BAND = 15 / 16
"""Part of the lower of two rates' bands that `resample` leaves unchanged."""


def resample(audio: np.ndarray, rate: int, to_rate: int = RATE) -> np.ndarray:
    """Change the rate of audio [N] to [round(N to_rate / rate)], by Fourier transform.

    At 16 kHz the response is flat to 7.5 kHz, the upper edge of VGGish's bands, where
    common converters lose half a decibel.  A raised cosine fades out the top sixteenth
    of the lower band, so nothing aliases.  `audio` itself is returned if the rates are
    equal.
    """
    if rate == to_rate:
        return audio
    from scipy import fft

    step = math.gcd(rate, to_rate)
    up, down = to_rate // step, rate // step
    guard = -(-rate // (10 * down))  # 0.1 s in steps of `down`: the ends stay apart
    whole = fft.next_fast_len(-(-len(audio) // down) + 2 * guard, real=True)
    padded = np.zeros(whole * down, np.float32)
    padded[guard * down : guard * down + len(audio)] = audio
    spectrum = fft.rfft(padded)
    kept = min(whole * up, whole * down) // 2 + 1
    share = np.arange(kept) / (min(whole * up, whole * down) / 2)
    fade = np.clip((share - FLAT_BAND) / (1 - FLAT_BAND), 0, 1)
    taper = (0.5 * (1 + np.cos(np.pi * fade))).astype(np.float32)
    result = fft.irfft(spectrum[:kept] * taper, whole * up) * np.float32(up / down)
    start = guard * up
    return result[start : start + round(len(audio) * to_rate / rate)]


def whole_seconds(audio: np.ndarray) -> np.ndarray:
    """Pad audio [N] at 16 kHz with zeros to whole seconds: few lengths are compiled."""
    return np.pad(audio, (0, -len(audio) % RATE))
