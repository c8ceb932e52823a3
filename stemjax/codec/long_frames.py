"""Chunked encoding and decoding of long audio with a codec without recurrence.

Like `long_audio`, but the whole network runs on windows: a chunk plus a halo of frames as
wide as its receptive field.  A decoder gets the frame where its window starts, because
its oscillators have a clock.
"""

import functools

import jax
import numpy as np

from stemjax.codec import functional
from stemjax.codec.functional import Tree
from stemjax.codec.oscillators import OscillatorDecoder
from stemjax.codec.windows import Place, in_windows, to_default_device
from stemjax.config.codec import OscillatorCodecConfig

FRAMES = 2_000  # per program, over all rows: about 200 MB


def prepare_params(params: Tree) -> Tree:
    """Parameters for `encode` and `decode`: unchanged."""
    return params


def widest_padding(cfg: OscillatorCodecConfig) -> int:
    """Most frames by which a convolution pads; longer signals need no guard."""
    return 2 * max(
        *cfg.encoder_dilations, *cfg.decoder_dilations, *cfg.step_dilations, 1
    )


def chunk_frames(cfg: OscillatorCodecConfig, batch_size: int) -> int:
    """Frames per chunk, a whole number of seconds."""
    second = round(cfg.frame_rate)
    return max(second, FRAMES // batch_size // second * second)


def encoder_halo(cfg: OscillatorCodecConfig) -> int:
    """Receptive field of the encoder, in frames on either side (upper bound)."""
    spectra = max(-(-band.window // (2 * cfg.hop)) for band in cfg.bands)
    return max(spectra, _level_halo(cfg)) + sum(cfg.encoder_dilations)


def decoder_halo(cfg: OscillatorCodecConfig) -> int:
    """Receptive field of the decoder, in frames on either side (upper bound)."""
    steps = sum(cfg.step_dilations) + 1  # and the neighbour that overlaps
    halo = 1 + sum(cfg.decoder_dilations) + -(-steps // cfg.steps_per_frame)
    if cfg.level_channels:
        halo += _level_halo(cfg) + 1  # and the neighbour for interpolated gains
    return halo


def _level_halo(cfg: OscillatorCodecConfig) -> int:
    """Frames on either side that the level of a frame depends on."""
    return -(-cfg.level_window // (2 * cfg.hop)) if cfg.level_channels else 0


@functools.partial(jax.jit, static_argnames="cfg")
def _encode(params, codebooks, cfg, audio, length):  # -> [B, T, Q]
    variables = {"params": {"encoder": params}, "codebooks": codebooks}
    return functional.encode(variables, cfg, audio, length).swapaxes(1, 2)


@functools.partial(jax.jit, static_argnames="cfg")
def _decode(params, codebooks, cfg, codes, length, start):  # codes [B, T, Q]
    with jax.default_matmul_precision("highest"):  # as in functional.decode
        latents = functional.dequantize(codebooks, codes.swapaxes(1, 2))
        return OscillatorDecoder(cfg).apply({"params": params}, latents, length, start)


def encode(
    prepared: Tree,
    codebooks: Tree,
    cfg: OscillatorCodecConfig,
    audio: np.ndarray,
    *,
    chunk: int,
    place: Place = to_default_device,
) -> np.ndarray:
    """Audio [B, N] to codes [B, Q, ceil(N / hop)] int32, `chunk` frames at a time."""

    def run(window, start, length):
        length = _length_of(window, length)
        return _encode(prepared, codebooks, cfg, place(window), length)

    halo = encoder_halo(cfg)
    codes = in_windows(run, audio, chunk=chunk, halo=halo, step_in=cfg.hop)
    return np.ascontiguousarray(codes.swapaxes(1, 2))


def decode(
    prepared: Tree,
    codebooks: Tree,
    cfg: OscillatorCodecConfig,
    codes: np.ndarray,
    *,
    chunk: int,
) -> np.ndarray:
    """Codes [B, Q, T] to audio [B, T * hop], `chunk` frames at a time."""

    def run(window, start, length):
        length = _length_of(window, length)
        return _decode(prepared, codebooks, cfg, window, length, np.int32(start))

    halo, codes = decoder_halo(cfg), codes.swapaxes(1, 2)
    return in_windows(run, codes, chunk=chunk, halo=halo, step_out=cfg.hop)


def _length_of(window: np.ndarray, length: np.int32 | None) -> np.int32:
    """Length of the signal in a window: one program serves inner and last windows."""
    return np.int32(window.shape[1]) if length is None else length
