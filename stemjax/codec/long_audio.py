"""Audio of any length in chunks, with the codes of the whole signal (EnCodec).

Every program runs on windows of one fixed shape.  Convolutions get a halo of frames
around the chunk that is as wide as they can see; only the LSTM remembers further back,
and its state goes from chunk to chunk.  Between the parts, arrays at the frame rate lie
in the host's memory: [T, W] float32, 0.2 MB per second at the published size.
"""

import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from stemjax.codec import functional
from stemjax.codec.seanet import Decoder, Encoder
from stemjax.config.codec import CodecConfig


def widest_padding(cfg: CodecConfig) -> int:
    """A signal of more frames than this is longer than any padding it gets.

    It holds at every rate: the strided convolutions pad by less than two strides.
    """
    dilation = cfg.dilation_growth_rate ** max(0, cfg.num_residual_layers - 1)
    residual = (cfg.residual_kernel_size - 1) * dilation
    return max(cfg.kernel_size, cfg.last_kernel_size, residual, 2)


def halo_frames(cfg: CodecConfig) -> int:
    """Frames on either side that the convolutions of one part can see, at most."""
    dilations = [cfg.dilation_growth_rate**j for j in range(cfg.num_residual_layers)]
    residual = (cfg.residual_kernel_size - 1) * sum(dilations)
    rate, samples = 1, cfg.kernel_size + cfg.last_kernel_size  # at the sample rate
    for ratio in reversed(cfg.upsampling_ratios):
        samples += rate * (residual + 2 * ratio)
        rate *= ratio
    return math.ceil(samples / cfg.hop) + widest_padding(cfg) + 1


@functools.partial(jax.jit, static_argnames=("cfg", "kind", "part"))
def _windowed(params, cfg, kind, part, window, length):
    with jax.default_matmul_precision("highest"):  # as in functional.encode
        return kind(cfg).apply({"params": params}, window, length, method=part)


@functools.partial(jax.jit, static_argnames=("cfg", "kind"))
def _recur(params, cfg, kind, x, carry):
    with jax.default_matmul_precision("highest"):
        return kind(cfg).apply({"params": params}, x, carry, method="recur")


@jax.jit
def _quantize(codebooks, latents):
    with jax.default_matmul_precision("highest"):
        return functional.quantize(codebooks, latents)


_dequantize = jax.jit(functional.dequantize)


def _in_windows(
    run, signal: np.ndarray, chunk: int, halo: int, step_in: int, step_out: int
) -> Iterator[np.ndarray]:
    """Run on windows of [B, N, ...] and give each chunk's share of the output.

    step_in, step_out: samples of input and of output per frame.  The last chunk is
    filled up to `chunk` frames with what means nothing.
    """
    samples = signal.shape[1]
    width = (chunk + 2 * halo) * step_in
    for first in range(0, -(-samples // step_in), chunk):
        start = max(0, first - halo)
        window = signal[:, start * step_in : start * step_in + width]
        length = window.shape[1]
        fill = [(0, 0)] * signal.ndim
        fill[1] = (0, width - length)
        y = run(np.pad(window, fill), np.int32(length))
        begin = (first - start) * step_out
        yield y[:, begin : begin + chunk * step_out]


def _through(part_params, cfg, kind, signal, chunk_frames, step_in):
    """`front` and `recur` over a whole signal: [B, T, W], the last chunk filled up."""
    front = functools.partial(_windowed, part_params, cfg, kind, "front")
    carry, outputs = None, []
    for x in _in_windows(front, signal, chunk_frames, halo_frames(cfg), step_in, 1):
        y, carry = _recur(part_params, cfg, kind, x, carry)
        outputs.append(np.asarray(y))
    return np.concatenate(outputs, axis=1)


def encode(
    variables: Mapping[str, Any],
    cfg: CodecConfig,
    audio: np.ndarray,
    *,
    chunk_frames: int,
) -> np.ndarray:
    """Audio [B, N] to codes [B, Q, ceil(N / hop)] int32, `chunk_frames` at a time."""
    params, frames = variables["params"]["encoder"], cfg.frames(audio.shape[1])
    x = _through(params, cfg, Encoder, audio, chunk_frames, cfg.hop)[:, :frames]
    tail = functools.partial(_windowed, params, cfg, Encoder, "tail")
    codes = [
        np.asarray(_quantize(variables["codebooks"], z))
        for z in _in_windows(tail, x, chunk_frames, halo_frames(cfg), 1, 1)
    ]
    return np.concatenate(codes, axis=2)[:, :, :frames]


def decode(
    variables: Mapping[str, Any],
    cfg: CodecConfig,
    codes: np.ndarray,
    *,
    chunk_frames: int,
) -> np.ndarray:
    """Codes [B, Q, T] to audio [B, T * hop], `chunk_frames` at a time."""
    params, frames = variables["params"]["decoder"], codes.shape[2]
    latents = np.asarray(_dequantize(variables["codebooks"], codes))
    x = _through(params, cfg, Decoder, latents, chunk_frames, 1)[:, :frames]
    tail = functools.partial(_windowed, params, cfg, Decoder, "tail")
    audio = [
        np.asarray(y)
        for y in _in_windows(tail, x, chunk_frames, halo_frames(cfg), 1, cfg.hop)
    ]
    return np.concatenate(audio, axis=1)[:, : frames * cfg.hop]
