"""Stems that loop without a seam: the context is treated as a circle of whole bars.

The context is encoded as a loop that repeats.  A first pass decodes the whole stem.  A
second pass rotates it by half a loop, masks half a second on both sides of the seam and
decodes these codes again between their neighbours.  The codec decodes the codes as a
circle too; the part of the last frame beyond the end is faded into the first frame.
"""

from typing import NamedTuple

import jax
import numpy as np

from stemjax.codec.codec import Codec
from stemjax.config.decode import DecodeConfig
from stemjax.decode.host import ProgressCallback
from stemjax.decode.iterate import DecodeResult
from stemjax.decode.keep import Kept
from stemjax.decode.stem_model import StemModel
from stemjax.io.errors import UserError

SEAM_SECONDS = 0.5
"""Part on either side of the seam that the second pass decodes."""
AROUND_SECONDS = 2.0
"""Part of the circle before and after the loop that the codec gets as context."""
FADE_SECONDS = 0.02
TOLERANCE = 0.02
"""Deviation from whole bars, in bars, below which a recording is not cut."""
BEATS_PER_BAR = 4
"""Used if the metre is unknown."""
SECOND_PASS = 1 << 16
"""Folded into the keys of the second pass; larger than any window or variation number."""


class Bars(NamedTuple):
    """Length of a loop in whole bars."""

    bars: int
    samples: int
    bpm: float
    """Beats per minute."""
    beats_per_bar: int


def whole_bars(
    samples: int, rate: int, bpm: float | None, beats_per_bar: int | None, name: str
) -> Bars:
    """Find how many whole bars a recording holds.

    If its length is within 2 % of a bar of whole bars, all of it is used and the tempo is
    adapted.

    Args:
      samples: length of the recording.
      rate: Hz.
      bpm: beats per minute; None: unknown, which is an error.
      beats_per_bar: None: 4.
      name: name of the recording in error messages.

    Raises:
      UserError: no tempo, or less than one bar.
    """
    if bpm is None:
        raise UserError(f"{name}: no beat was found; give the tempo with --bpm")
    beats = beats_per_bar or BEATS_PER_BAR
    bar = beats * 60 / bpm * rate
    bars = samples / bar
    if round(bars) >= 1 and abs(bars - round(bars)) <= TOLERANCE:
        whole = round(bars)
        return Bars(whole, samples, 60 * whole * beats * rate / samples, beats)
    whole = int(bars)
    if whole < 1:
        raise UserError(
            f"{name}: {samples / rate:.2f} s is shorter than a bar of {bar / rate:.2f} s"
            f" ({beats} beats at {bpm:.1f} per minute); give --bpm or a longer loop"
        )
    return Bars(whole, round(whole * bar), bpm, beats)


def encode_loop(model: StemModel, loop: np.ndarray) -> np.ndarray:
    """Encode a loop [N] between repetitions of itself: codes [Q, T], T = ceil(N / hop)."""
    cfg = model.codec.config
    margin = round(AROUND_SECONDS * cfg.frame_rate)
    frames = cfg.frames(len(loop))
    around = np.arange(-margin * cfg.hop, (frames + margin) * cfg.hop) % len(loop)
    return model.encode_audio(loop[around][None])[0, :, margin : margin + frames]


def generate_loop_tokens(
    model: StemModel,
    context_codes: np.ndarray,
    categories: np.ndarray,
    keys: jax.Array,
    config: DecodeConfig,
    *,
    num_samples: int,
    progress: ProgressCallback | None = None,
) -> DecodeResult:
    """Generate stem tokens for looped contexts; the arguments of `Model.generate_tokens`.

    The order of a code is its step in the last pass that decoded it.
    """
    count, _, frames = context_codes.shape
    half = frames // 2
    seam = min(round(SEAM_SECONDS * model.codec.config.frame_rate), frames // 4)
    is_kept = np.ones(context_codes.shape[1:], bool)
    is_kept[:, frames - half - seam : frames - half + seam] = False
    is_seam = np.roll(~is_kept, half, axis=-1)

    def run(number, rows, contexts, keys, kept=None):
        report = progress and (lambda d, n: progress(number * n + d, (1 + count) * n))
        return model.generate_tokens(
            contexts[rows],
            categories[rows],
            keys[rows],
            config,
            num_samples=num_samples,
            kept=kept,
            progress=report,
        )

    first = run(0, slice(None), context_codes, keys)
    second_keys = jax.vmap(lambda key: jax.random.fold_in(key, SECOND_PASS))(keys)
    rotated = np.roll(context_codes, -half, axis=-1)
    codes, order, seconds = np.array(first.codes), np.array(first.order), 0.0
    for k in range(count):
        kept = Kept(np.roll(codes[k], -half, axis=-1), is_kept)
        second = run(k + 1, slice(k, k + 1), rotated, second_keys, kept)
        codes[k] = np.roll(second.codes[0], half, axis=-1)
        order[k] = np.where(is_seam, np.roll(second.order[0], half, -1), order[k])
        seconds += second.compile_seconds
    return DecodeResult(codes, order, first.compile_seconds + seconds)


def decode_loop(codec: Codec, codes: np.ndarray, num_samples: int) -> np.ndarray:
    """Decode codes [Q, T] of a loop to audio [N] whose end continues at its beginning."""
    hop = codec.config.hop
    frames = codes.shape[1]
    margin = round(AROUND_SECONDS * codec.config.frame_rate)
    around = np.arange(-margin, frames + margin) % frames
    audio = codec.decode(codes[None][..., around])[0]
    start = margin * hop
    stem = np.array(audio[start : start + num_samples])
    fade = round(FADE_SECONDS * codec.config.sample_rate)
    rise = (np.arange(fade, dtype=np.float32) + 0.5) / fade
    beyond = audio[start + num_samples : start + num_samples + fade]
    stem[:fade] = rise * stem[:fade] + (1 - rise) * beyond
    return stem
