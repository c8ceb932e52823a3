"""Chunked encoding and decoding of long audio with an LSTM codec (EnCodec, sec. 3.1).

The codes equal those of the whole signal.  Convolutions run on windows: a chunk plus a
halo of frames as wide as their receptive field.  The LSTM runs on pieces without a halo
and passes its state on.  On a CPU this is also faster, because a chunk of 1 s fits the
cache (docs/performance.md).  Between the parts, arrays at the frame rate stay in host
memory: [B, T, W] float32, 0.2 MB per second and row at the published size.  Parts without
a halo run on longer pieces, because each piece reads all the weights.
"""

import functools
import math

import jax
import numpy as np

from stemjax.codec import functional
from stemjax.codec.functional import Tree
from stemjax.codec.seanet import Decoder, Encoder
from stemjax.codec.windows import Place, in_windows, pad_time, to_default_device
from stemjax.config.codec import CodecConfig

CACHE_BYTES = 8 << 20  # CPU cache for a chunk's activations at the sample rate
ACCELERATOR_SECONDS = 20  # length of a chunk on an accelerator


def chunk_frames(cfg: CodecConfig, batch_size: int) -> int:
    """Frames per chunk; longer audio is processed in chunks.

    A CPU is fastest with chunks that fit its cache, an accelerator with few large chunks.
    """
    second = round(cfg.frame_rate)
    if jax.default_backend() != "cpu":
        return ACCELERATOR_SECONDS * second
    cached = CACHE_BYTES // (4 * batch_size * cfg.hop * cfg.num_filters)
    return max(second // 2, cached // second * second)


def widest_padding(cfg: CodecConfig) -> int:
    """Most frames by which a convolution pads; longer signals need no guard.

    It holds at every rate: strided convolutions pad by less than two strides.
    """
    dilation = cfg.dilation_growth_rate ** max(0, cfg.num_residual_layers - 1)
    residual = (cfg.residual_kernel_size - 1) * dilation
    return max(cfg.kernel_size, cfg.last_kernel_size, residual, 2)


def frame_halo(cfg: CodecConfig) -> int:
    """Receptive field of a convolution at the frame rate, in frames on either side."""
    return _reach(cfg, max(cfg.kernel_size, cfg.last_kernel_size) - 1)


def encoder_halo(cfg: CodecConfig) -> int:
    """Receptive field of `Encoder.front`, in frames on either side (upper bound).

    The sum over its convolutions of kernel - stride, in samples of the audio.
    """
    return _halo(cfg, [_reach(cfg, ratio) for ratio in cfg.upsampling_ratios])


def decoder_halo(cfg: CodecConfig) -> int:
    """Receptive field of `Decoder.tail`, in frames on either side (upper bound).

    Like `encoder_halo`; a transposed convolution sees one input frame on either side.
    """
    return _halo(cfg, list(cfg.upsampling_ratios))


def _halo(cfg: CodecConfig, strided: list[int]) -> int:
    """Halo in frames.

    strided: reach of each strided convolution, in samples at its higher rate.
    """
    residual = sum(
        _reach(cfg, (cfg.residual_kernel_size - 1) * cfg.dilation_growth_rate**j)
        for j in range(cfg.num_residual_layers)
    )
    rate, samples = 1, frame_halo(cfg)  # kernels at the sample rate have the same size
    ratios = zip(reversed(cfg.upsampling_ratios), strided[::-1], strict=True)
    for ratio, reach in ratios:
        samples += rate * (residual + reach)
        rate *= ratio
    return math.ceil(samples / cfg.hop)


def _reach(cfg: CodecConfig, extra: int) -> int:
    """Samples that a kernel of `extra` + stride samples sees on its farther side."""
    return extra if cfg.use_causal_conv else math.ceil(extra / 2)


def _reverse_kernels(params):
    return jax.tree.map(lambda x: x.transpose() if x.ndim == 3 else x, params)


prepare_params = jax.jit(_reverse_kernels)
"""Parameters for `encode` and `decode`: kernels [O, I, K] are stored as [K, I, O].

Matrix products need this layout; transposing would take half of a short chunk's time.
"""


@functools.partial(jax.jit, static_argnames=("cfg", "kind", "part"))
def _apply_part(prepared, cfg, kind, part, window, length):
    params = _reverse_kernels(prepared)  # XLA cancels the two transposes
    with jax.default_matmul_precision("highest"):  # as in functional.encode
        return kind(cfg).apply({"params": params}, window, length, method=part)


@functools.partial(jax.jit, static_argnames=("cfg", "kind"))
def _recur(prepared, cfg, kind, x, carry):
    with jax.default_matmul_precision("highest"):
        params = _reverse_kernels(prepared)
        return kind(cfg).apply({"params": params}, x, carry, method="recur")


@jax.jit
def _quantize(codebooks, latents):  # -> [B, T, Q]
    with jax.default_matmul_precision("highest"):
        return functional.quantize(codebooks, latents).swapaxes(1, 2)


@jax.jit
def _dequantize(codebooks, codes):  # [B, T, Q]
    return functional.dequantize(codebooks, codes.swapaxes(1, 2))


def _front_and_recur(prepared, cfg, kind, signal, chunk, halo, step_in, place):
    """`front` and `recur` of a whole signal: [B, N, ...] -> [B, T, W]."""

    def front(window, start, length):
        return _apply_part(prepared, cfg, kind, "front", place(window), length)

    x = in_windows(front, signal, chunk=chunk, halo=halo, step_in=step_in)
    carry = None

    def recur(piece):
        nonlocal carry
        y, carry = _recur(prepared, cfg, kind, place(piece), carry)
        return y

    return _in_pieces(recur, x, cfg)


def _in_pieces(run, signal: np.ndarray, cfg: CodecConfig) -> np.ndarray:
    """Run on [B, T, ...] in pieces of 20, 5 and 1 s, the last one padded with zeros."""
    outputs, start, frames = [], 0, signal.shape[1]
    second = round(cfg.frame_rate)
    for size in (20 * second, 5 * second, second):
        while frames - start >= size or (size == second and start < frames):
            piece = pad_time(signal[:, start : start + size], size)
            outputs.append(np.asarray(run(piece)))
            start += size
    return np.concatenate(outputs, axis=1)[:, :frames]


def encode(
    prepared: Tree,
    codebooks: Tree,
    cfg: CodecConfig,
    audio: np.ndarray,
    *,
    chunk: int,
    place: Place = to_default_device,
) -> np.ndarray:
    """Audio [B, N] to codes [B, Q, ceil(N / hop)] int32, `chunk` frames at a time.

    prepared: `prepare_params` of the encoder's parameters.
    """

    def tail(window, start, length):
        return _apply_part(prepared, cfg, Encoder, "tail", place(window), length)

    def quantize(piece):
        return _quantize(codebooks, place(piece))

    halo = encoder_halo(cfg)
    x = _front_and_recur(prepared, cfg, Encoder, audio, chunk, halo, cfg.hop, place)
    latents = in_windows(tail, x, chunk=chunk, halo=frame_halo(cfg))
    codes = _in_pieces(quantize, latents, cfg)
    return np.ascontiguousarray(codes.swapaxes(1, 2))


def decode(
    prepared: Tree, codebooks: Tree, cfg: CodecConfig, codes: np.ndarray, *, chunk: int
) -> np.ndarray:
    """Codes [B, Q, T] to audio [B, T * hop], `chunk` frames at a time.

    prepared: `prepare_params` of the decoder's parameters.
    """

    def tail(window, start, length):
        return _apply_part(prepared, cfg, Decoder, "tail", window, length)

    dequantize = functools.partial(_dequantize, codebooks)
    latents = _in_pieces(dequantize, codes.swapaxes(1, 2), cfg)
    halo, place = frame_halo(cfg), to_default_device
    x = _front_and_recur(prepared, cfg, Decoder, latents, chunk, halo, 1, place)
    return in_windows(tail, x, chunk=chunk, halo=decoder_halo(cfg), step_out=cfg.hop)
