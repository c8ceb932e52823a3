"""Short-time spectra and mel filters in jax.numpy, for one signal [N]."""

import functools

import jax.numpy as jnp
import numpy as np

LOG_FLOOR = 1e-5


def hertz_to_mel(hertz):
    """HTK's mel scale."""
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)


def mel_to_hertz(mel):
    """Inverse of `hertz_to_mel`."""
    return 700 * (10 ** (np.asarray(mel) / 2595) - 1)


@functools.lru_cache
def mel_matrix(sample_rate: int, window: int, bins: int) -> np.ndarray:
    """Triangles of peak 1, evenly spaced in mel from 0 to Nyquist: [F, bins] float32.

    Equals librosa.filters.mel(htk=True, norm=None).
    """
    edges = mel_to_hertz(np.linspace(0, hertz_to_mel(sample_rate / 2), bins + 2))
    hertz = np.linspace(0, sample_rate / 2, window // 2 + 1)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (hertz - low) / (centre - low), (high - hertz) / (high - centre)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


@functools.lru_cache
def hann(window: int) -> np.ndarray:
    """Periodic Hann window of unit energy, [window] float32."""
    shape = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    return (shape / np.sqrt(np.sum(shape**2))).astype(np.float32)


@functools.lru_cache
def dft_matrix(window: int) -> np.ndarray:
    """Windowed real DFT as one matrix: cosines, then sines, [window, 2 F] float32."""
    angle = 2 * np.pi * np.outer(np.arange(window), np.arange(window // 2 + 1)) / window
    parts = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    return (parts * hann(window)[:, None]).astype(np.float32)


def frames_of(audio, window: int):
    """Frames of `window` samples, hop window / 4, no padding: [N] -> [T, window]."""
    hop = window // 4
    blocks = audio[: len(audio) // hop * hop].reshape(-1, hop)
    count = len(blocks) - 3
    return jnp.concatenate([blocks[i : i + count] for i in range(4)], axis=1)


MATMUL_LIMIT = 512  # up to this window a product beats the FFT and its gradient


def stft_power(audio, window: int):
    """Power spectrum: [N] -> [T, F], Hann of unit energy, hop window / 4."""
    frames = frames_of(audio, window)
    if window <= MATMUL_LIMIT:
        parts = frames @ dft_matrix(window)
        cosine, sine = jnp.split(parts, 2, axis=-1)
        return cosine**2 + sine**2
    spectrum = jnp.fft.rfft(frames * hann(window))
    return spectrum.real**2 + spectrum.imag**2


def mel_magnitude(audio, *, sample_rate: int, window: int, bins: int):
    """Mel-filtered magnitudes: [N] -> [T, bins]."""
    # the epsilon keeps the root's gradient finite at silence
    magnitude = jnp.sqrt(stft_power(audio, window) + 1e-10)
    return magnitude @ mel_matrix(sample_rate, window, bins)


def log_mel(audio, *, sample_rate: int, window: int, bins: int):
    """log10 of `mel_magnitude`, floored at 1e-5: [N] -> [T, bins]."""
    mel = mel_magnitude(audio, sample_rate=sample_rate, window=window, bins=bins)
    return jnp.log10(jnp.maximum(mel, LOG_FLOOR))


def mel_power(audio, *, sample_rate: int, window: int = 2048, bins: int = 128):
    """Mel power for pictures: [N] -> NumPy [T, bins]."""
    mel = mel_magnitude(
        jnp.asarray(audio), sample_rate=sample_rate, window=window, bins=bins
    )
    return np.asarray(mel) ** 2
