"""Audio of any length in chunks, for codecs without recurrence: as `long_audio`.

Every program runs on windows of one fixed shape; a chunk gets a halo of frames as wide
as the network sees.  A decoder's clock is told where its window starts.
"""

import functools
from typing import Any

import jax
import numpy as np

from stemjax.codec import functional
from stemjax.codec.functional import Tree
from stemjax.codec.long_audio import Place, as_it_is
from stemjax.codec.oscillators import OscillatorDecoder
from stemjax.config.codec import OscillatorCodecConfig

FRAMES = 2_000  # of all rows together in one program: some 200 MB


def lay_out(params: Tree) -> Tree:
    """Parameters as `encode` and `decode` take them: as they are."""
    return params


def widest_padding(cfg: OscillatorCodecConfig) -> int:
    """A signal of more frames than this is longer than any padding it gets."""
    return 2 * max(
        *cfg.encoder_dilations, *cfg.decoder_dilations, *cfg.step_dilations, 1
    )


def chunk_frames(cfg: OscillatorCodecConfig, batch_size: int) -> int:
    """Frames of a chunk: whole seconds."""
    second = round(cfg.frame_rate)
    return max(second, FRAMES // batch_size // second * second)


def encoder_halo(cfg: OscillatorCodecConfig) -> int:
    """Frames on either side that the encoder sees, at most."""
    spectra = max(-(-band.window // (2 * cfg.hop)) for band in cfg.bands)
    return max(spectra, _level_halo(cfg)) + sum(cfg.encoder_dilations)


def decoder_halo(cfg: OscillatorCodecConfig) -> int:
    """Frames on either side that the decoder sees, at most."""
    steps = sum(cfg.step_dilations) + 1  # and the neighbour that overlaps
    seen = 1 + sum(cfg.decoder_dilations) + -(-steps // cfg.steps_per_frame)
    return seen + _level_halo(cfg) + 1  # and the neighbour that gains go towards


def _level_halo(cfg: OscillatorCodecConfig) -> int:
    """Frames on either side that a frame's level is measured in."""
    return -(-cfg.level_window // (2 * cfg.hop)) if cfg.level_units else 0


@functools.partial(jax.jit, static_argnames="cfg")
def _encode(params, codebooks, cfg, audio, length):
    variables = {"params": {"encoder": params}, "codebooks": codebooks}
    return functional.encode(variables, cfg, audio, length)


@functools.partial(jax.jit, static_argnames="cfg")
def _decode(params, codebooks, cfg, codes, length, start):
    with jax.default_matmul_precision("highest"):  # as in functional.decode
        latents = functional.dequantize(codebooks, codes)
        return OscillatorDecoder(cfg).apply({"params": params}, latents, length, start)


def encode(
    laid: Tree,
    codebooks: Tree,
    cfg: OscillatorCodecConfig,
    audio: np.ndarray,
    *,
    chunk: int,
    place: Place = as_it_is,
) -> np.ndarray:
    """Audio [B, N] to codes [B, Q, ceil(N / hop)] int32, `chunk` frames at a time."""

    def run(window: np.ndarray, length: int, start: int) -> Any:
        return _encode(laid, codebooks, cfg, place(window), np.int32(length))

    return _in_windows(run, audio, chunk, encoder_halo(cfg), cfg.hop, 1)


def decode(
    laid: Tree,
    codebooks: Tree,
    cfg: OscillatorCodecConfig,
    codes: np.ndarray,
    *,
    chunk: int,
) -> np.ndarray:
    """Codes [B, Q, T] to audio [B, T * hop], `chunk` frames at a time."""

    def run(window: np.ndarray, length: int, start: int) -> Any:
        return _decode(laid, codebooks, cfg, window, np.int32(length), np.int32(start))

    return _in_windows(run, codes, chunk, decoder_halo(cfg), 1, cfg.hop)


def _in_windows(run, signal, chunk, halo, step_in, step_out) -> np.ndarray:
    """Run on windows of the last axis and join each chunk's share of the output.

    run: (window, how much of it is signal, frame where it starts) -> [..., M].
    """
    samples = signal.shape[-1]
    frames = -(-samples // step_in)
    width, parts = (chunk + 2 * halo) * step_in, []
    for first in range(0, frames, chunk):
        start = max(0, first - halo)
        window = signal[..., start * step_in : start * step_in + width]
        fill = [(0, 0)] * (signal.ndim - 1) + [(0, width - window.shape[-1])]
        y = np.asarray(run(np.pad(window, fill), window.shape[-1], start))
        begin = (first - start) * step_out
        parts.append(y[..., begin : begin + chunk * step_out])
    return np.concatenate(parts, axis=-1)[..., : frames * step_out]
