"""Audio of any length in chunks, with the codes of the whole signal (EnCodec).

Every program runs on windows of one fixed shape, so any length compiles the same few.
Convolutions get a halo of frames around the chunk that is as wide as they can see; only
the LSTM remembers further back, and its state goes from piece to piece.  On a CPU this
is also the fast way: a chunk of 1 s stays in the cache (docs/performance.md).  Between
the parts, arrays at the frame rate lie in the host's memory: [T, W] float32, 0.2 MB per
second at the published size.  What needs no halo goes through in longer pieces, because
each piece reads all the weights anew.
"""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from stemjax.codec import functional
from stemjax.codec.functional import Tree
from stemjax.codec.seanet import Decoder, Encoder
from stemjax.config.codec import CodecConfig

Place = Callable[[np.ndarray], Any]
CACHE_BYTES = 8 << 20  # of a CPU's cache, for a chunk at the sample rate
ACCELERATOR_SECONDS = 20  # of a chunk there


def as_it_is(array: np.ndarray) -> np.ndarray:
    """`Place` of what one device works on: jit puts it there."""
    return array


def chunk_frames(cfg: CodecConfig, batch_size: int) -> int:
    """Frames of a chunk; longer audio goes through in chunks.

    A CPU is fastest with what fits its cache, an accelerator with few large programs.
    """
    second = round(cfg.frame_rate)
    if jax.default_backend() != "cpu":
        return ACCELERATOR_SECONDS * second
    fitting = CACHE_BYTES // (4 * batch_size * cfg.hop * cfg.num_filters)
    return max(second // 2, fitting // second * second)


def widest_padding(cfg: CodecConfig) -> int:
    """A signal of more frames than this is longer than any padding it gets.

    It holds at every rate: the strided convolutions pad by less than two strides.
    """
    dilation = cfg.dilation_growth_rate ** max(0, cfg.num_residual_layers - 1)
    residual = (cfg.residual_kernel_size - 1) * dilation
    return max(cfg.kernel_size, cfg.last_kernel_size, residual, 2)


def frame_halo(cfg: CodecConfig) -> int:
    """Frames on either side that a convolution at the frame rate sees, at most."""
    return _reach(cfg, max(cfg.kernel_size, cfg.last_kernel_size) - 1)


def encoder_halo(cfg: CodecConfig) -> int:
    """Frames on either side that `Encoder.front` sees, at most.

    The sum of what each convolution sees, kernel less stride, in samples of the signal.
    """
    return _halo(cfg, [_reach(cfg, ratio) for ratio in cfg.upsampling_ratios])


def decoder_halo(cfg: CodecConfig) -> int:
    """Frames on either side that `Decoder.tail` sees, at most.

    As the encoder's; a transposed convolution sees a step of its input either way.
    """
    return _halo(cfg, list(cfg.upsampling_ratios))


def _halo(cfg: CodecConfig, strided: list[int]) -> int:
    """strided: what the strided convolutions see, in samples of their faster side."""
    residual = sum(
        _reach(cfg, (cfg.residual_kernel_size - 1) * cfg.dilation_growth_rate**j)
        for j in range(cfg.num_residual_layers)
    )
    rate, samples = 1, frame_halo(cfg)  # the same kernels at the sample rate
    for ratio, seen in zip(reversed(cfg.upsampling_ratios), strided[::-1], strict=True):
        samples += rate * (residual + seen)
        rate *= ratio
    return math.ceil(samples / cfg.hop)


def _reach(cfg: CodecConfig, extra: int) -> int:
    """The farther side of a kernel with `extra` samples beside those of its output."""
    return extra if cfg.use_causal_conv else math.ceil(extra / 2)


def _reverse_kernels(params):
    return jax.tree.map(lambda x: x.transpose() if x.ndim == 3 else x, params)


lay_out = jax.jit(_reverse_kernels)
"""Parameters as `encode` and `decode` take them: kernels [O, I, K] lie as [K, I, O].

Products want them so; a short chunk would spend half of its time turning them.
"""


@functools.partial(jax.jit, static_argnames=("cfg", "kind", "part"))
def _windowed(laid, cfg, kind, part, window, length):
    params = _reverse_kernels(laid)  # back again: XLA cancels the two
    with jax.default_matmul_precision("highest"):  # as in functional.encode
        return kind(cfg).apply({"params": params}, window, length, method=part)


@functools.partial(jax.jit, static_argnames=("cfg", "kind"))
def _recur(laid, cfg, kind, x, carry):
    with jax.default_matmul_precision("highest"):
        params = _reverse_kernels(laid)
        return kind(cfg).apply({"params": params}, x, carry, method="recur")


@jax.jit
def _quantize(codebooks, latents):
    with jax.default_matmul_precision("highest"):
        return functional.quantize(codebooks, latents)


@jax.jit
def _dequantize(codebooks, codes):  # [B, T, Q]
    return functional.dequantize(codebooks, codes.swapaxes(1, 2))


def _in_windows(
    run, signal: np.ndarray, chunk: int, halo: int, step_in: int, step_out: int
) -> Iterator[np.ndarray]:
    """Run on windows of [B, N, ...] and give each chunk's share of the output.

    run: (window, its length or None where the signal goes on past it) -> array.
    step_in, step_out: samples of input and of output per frame.  The last chunk is
    filled up to `chunk` frames with what means nothing.
    """
    samples = signal.shape[1]
    width = (chunk + 2 * halo) * step_in
    for first in range(0, -(-samples // step_in), chunk):
        start = max(0, first - halo)
        window = signal[:, start * step_in : start * step_in + width]
        if start * step_in + width < samples:
            y = run(window, None)
        else:  # padding inside the window costs a program of its own
            length = window.shape[1]
            fill = [(0, 0)] * signal.ndim
            fill[1] = (0, width - length)
            y = run(np.pad(window, fill), np.int32(length))
        begin = (first - start) * step_out
        yield y[:, begin : begin + chunk * step_out]


def _through(laid, cfg, kind, signal, chunk, halo, step_in, place):
    """`front` and `recur` over a whole signal: [B, T, W]."""

    def front(window, length):
        return _windowed(laid, cfg, kind, "front", place(window), length)

    parts = _in_windows(front, signal, chunk, halo, step_in, 1)
    x = np.concatenate([np.asarray(part) for part in parts], axis=1)
    x = x[:, : -(-signal.shape[1] // step_in)]
    carry = None

    def recur(piece):
        nonlocal carry
        y, carry = _recur(laid, cfg, kind, place(piece), carry)
        return y

    second = round(cfg.frame_rate)
    return np.concatenate(_in_pieces(recur, x, second), axis=1)[:, : x.shape[1]]


def _in_pieces(run, signal: np.ndarray, second: int) -> list[np.ndarray]:
    """Run on [B, T, ...] in pieces of 20, 5 and 1 s, the last one filled up with zeros."""
    outputs, start, frames = [], 0, signal.shape[1]
    for size in (20 * second, 5 * second, second):
        while frames - start >= size or (size == second and start < frames):
            piece = signal[:, start : start + size]
            fill = [(0, 0)] * signal.ndim
            fill[1] = (0, size - piece.shape[1])
            outputs.append(np.asarray(run(np.pad(piece, fill))))
            start += size
    return outputs


def encode(
    laid: Tree,
    codebooks: Tree,
    cfg: CodecConfig,
    audio: np.ndarray,
    *,
    chunk: int,
    place: Place = as_it_is,
) -> np.ndarray:
    """Audio [B, N] to codes [B, Q, ceil(N / hop)] int32, `chunk` frames at a time.

    laid: `lay_out` of the encoder's parameters.  place: puts [B, ...] where it is to be
    worked on.
    """

    def tail(window, length):
        return _windowed(laid, cfg, Encoder, "tail", place(window), length)

    def quantize(piece):
        return _quantize(codebooks, place(piece))

    x = _through(laid, cfg, Encoder, audio, chunk, encoder_halo(cfg), cfg.hop, place)
    parts = _in_windows(tail, x, chunk, frame_halo(cfg), 1, 1)
    latents = np.concatenate([np.asarray(part) for part in parts], axis=1)
    latents = latents[:, : x.shape[1]]
    codes = _in_pieces(quantize, latents, round(cfg.frame_rate))
    return np.concatenate(codes, axis=2)[:, :, : x.shape[1]]


def decode(
    laid: Tree, codebooks: Tree, cfg: CodecConfig, codes: np.ndarray, *, chunk: int
) -> np.ndarray:
    """Codes [B, Q, T] to audio [B, T * hop], `chunk` frames at a time.

    laid: `lay_out` of the decoder's parameters.
    """
    frames, second = codes.shape[2], round(cfg.frame_rate)
    dequantize = functools.partial(_dequantize, codebooks)
    latents = np.concatenate(
        _in_pieces(dequantize, codes.swapaxes(1, 2), second), axis=1
    )
    halo, latents = frame_halo(cfg), latents[:, :frames]
    x = _through(laid, cfg, Decoder, latents, chunk, halo, 1, as_it_is)
    tail = functools.partial(_windowed, laid, cfg, Decoder, "tail")
    parts = _in_windows(tail, x, chunk, decoder_halo(cfg), 1, cfg.hop)
    audio = np.concatenate([np.asarray(part) for part in parts], axis=1)
    return audio[:, : frames * cfg.hop]
