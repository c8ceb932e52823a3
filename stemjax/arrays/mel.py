"""Short-time and mel spectra of one signal, for the codec's losses (EnCodec, sec. 3.4).

Conventions: periodic Hann window.  Frames are centred: the signal gets window / 2 zeros
on each side, so N samples give 1 + N // hop frames (librosa's default).  The mel scale is
HTK's; the weights of each triangle sum to 1, so a band is a mean of magnitudes.
"""

import functools

import jax.numpy as jnp
import numpy as np

# Up to this window length, a matrix product is faster than XLA's FFT on a CPU, gradient
# included (measured on 2 cores).
MATMUL_LIMIT = 256
TINY = 1e-20  # added to a power: the root's gradient at digital silence is 0, not NaN
PIECE = 1 << 20  # samples that `mel_power` transforms at once
OVERLAP = 4  # hop = window / 4 in functions without a `hop` argument


def hann(window: int) -> np.ndarray:
    """Periodic Hann window: [window] float64."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)


@functools.lru_cache
def _dft_matrix(window: int) -> np.ndarray:
    """Matrix of the Hann-windowed real DFT, cosines then sines: [window, 2 F] float32."""
    turns = np.outer(np.arange(window), np.arange(window // 2 + 1)) / window
    parts = np.concatenate([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)], 1)
    return (parts * hann(window)[:, None]).astype(np.float32)


def centred_frames(audio, window: int, hop: int):
    """Overlapping frames: [N] -> [1 + N // hop, window].

    Frames are joined from blocks of one hop: a gather and its gradient, a scatter, are
    much slower on a CPU.

    Raises:
      ValueError: `hop` does not divide `window`, or `window` is odd.
    """
    if window % hop or window % 2:
        raise ValueError(f"window {window} must be even and a multiple of hop {hop}")
    padded = jnp.pad(audio, (window // 2, window // 2))
    blocks = padded[: len(padded) // hop * hop].reshape(-1, hop)
    overlap = window // hop
    count = len(blocks) - overlap + 1
    return jnp.concatenate([blocks[i : i + count] for i in range(overlap)], axis=1)


def stft(audio, window: int, hop: int):
    """Short-time Fourier transform: [N] -> real and imaginary parts, [T, F] each.

    F = window / 2 + 1.  Unscaled: equals
    `librosa.stft(audio, n_fft=window, hop_length=hop).T`.

    Raises:
      ValueError: `hop` does not divide `window`.
    """
    frames = centred_frames(audio, window, hop)
    if window <= MATMUL_LIMIT:
        real, minus_imaginary = jnp.split(frames @ _dft_matrix(window), 2, axis=-1)
        return real, -minus_imaginary
    spectrum = jnp.fft.rfft(frames * hann(window).astype(np.float32))
    return spectrum.real, spectrum.imag


def stft_magnitude(audio, window: int, hop: int):
    """Magnitudes of `stft`: [N] -> [T, F].

    Raises:
      ValueError: `hop` does not divide `window`.
    """
    real, imaginary = stft(audio, window, hop)
    return jnp.sqrt(real**2 + imaginary**2 + TINY)


@functools.lru_cache
def mel_matrix(sample_rate: int, window: int, bins: int) -> np.ndarray:
    """Triangular filters spaced evenly in mel from 0 Hz to Nyquist: [F, bins] float32.

    Equals `librosa.filters.mel(sr, n_fft, n_mels=bins, htk=True, norm=1).T`.
    """
    top = 2595 * np.log10(1 + sample_rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bins + 2) / 2595) - 1)
    hertz = np.linspace(0, sample_rate / 2, window // 2 + 1)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (hertz - low) / (centre - low), (high - hertz) / (high - centre)
    weights = np.maximum(0, np.minimum(rising, falling))
    total = weights.sum(axis=0)
    return (weights / np.where(total > 0, total, 1)).astype(np.float32)


def mel_magnitude(audio, *, sample_rate: int, window: int, hop: int, bins: int):
    """Mean magnitudes per mel band: [N] -> [T, bins].

    Magnitudes are divided by the root of the window's energy: for white noise with
    standard deviation s they are about s at every window length.
    """
    scale = np.float32(1 / np.sqrt(np.sum(hann(window) ** 2)))
    magnitude = stft_magnitude(audio, window, hop) * scale
    return magnitude @ mel_matrix(sample_rate, window, bins)


def log_mel(audio, *, sample_rate: int, window: int, hop: int, bins: int, floor: float):
    """log10 of max(`mel_magnitude`, floor): [N] -> [T, bins]."""
    mel = mel_magnitude(
        audio, sample_rate=sample_rate, window=window, hop=hop, bins=bins
    )
    return jnp.log10(jnp.maximum(mel, floor))


def mel_power(audio, *, sample_rate: int, window: int = 2048, bins: int = 128):
    """Mel power spectrum for pictures, at a hop of window / 4: [N] -> NumPy [T, bins].

    Long audio is transformed in pieces of `PIECE` samples that overlap by one window.
    """
    hop, audio = window // OVERLAP, np.asarray(audio)
    parts, size, margin = [], PIECE // hop * hop, OVERLAP
    for start in range(0, max(1, len(audio)), size):
        end = start + size if start + size < len(audio) else len(audio)
        left = min(start, margin * hop)
        mel = mel_magnitude(
            jnp.asarray(audio[start - left : end + margin * hop]),
            sample_rate=sample_rate,
            window=window,
            hop=hop,
            bins=bins,
        )
        last = None if end == len(audio) else left // hop + size // hop
        parts.append(np.asarray(mel[left // hop : last]) ** 2)
    return np.concatenate(parts)
