"""Stems that repeat without a seam: the context is a circle of whole bars.

The context's codes are those of the loop heard between its own end and its own
beginning.  A first decoding fills the loop; a second one, with the loop turned by half,
hides half a second on either side of the seam and decodes it between what is before and
after it.  The stem is decoded from its codes in a circle too, and where the last frame
passes the loop's end, it is faded into the first.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from stemjax.api import Kept, Model
from stemjax.codec.codec import Codec
from stemjax.config.decode import DecodeConfig
from stemjax.decode.iterate import DecodeResult
from stemjax.io.errors import UserError

SEAM_SECONDS = 0.5  # on either side of the seam, decoded between its neighbours
AROUND_SECONDS = 2.0  # of the circle that the codec hears before and after
FADE_SECONDS = 0.02
TOLERANCE = 0.02  # of a bar: so far from whole bars a recording is one as it is
BEATS_PER_BAR = 4  # where no metre was told or found
SECOND_PASS = 1 << 16  # a word that no window's number and no variation's is


class Bars(NamedTuple):
    """A loop in whole bars."""

    bars: int
    samples: int
    bpm: float
    beats_per_bar: int


def whole_bars(
    samples: int, rate: int, bpm: float | None, beats_per_bar: int | None, name: str
) -> Bars:
    """How much of a recording is looped: all, where that is bars to 2 %, else as many
    whole bars as it has.

    Raises:
      UserError: no tempo, or less than a bar.
    """
    if bpm is None:
        raise UserError(f"{name}: no beat was found to loop by; give --bpm")
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
            f" ({beats} beats at {bpm:.1f} a minute); give --bpm or a longer loop"
        )
    return Bars(whole, round(whole * bar), bpm, beats)


def circle_codes(model: Model, loop: np.ndarray) -> np.ndarray:
    """Codes [Q, T] of a loop [N] heard in its own company, T = ceil(N / hop)."""
    cfg = model.codec.config
    margin = round(AROUND_SECONDS * cfg.frame_rate)
    frames = cfg.frames(len(loop))
    around = np.arange(-margin * cfg.hop, (frames + margin) * cfg.hop) % len(loop)
    return model.encode_contexts(loop[around][None])[0, :, margin : margin + frames]


def answer(
    model: Model,
    context: np.ndarray,
    category: int,
    keys: jax.Array,
    config: DecodeConfig,
    *,
    num_samples: int,
    progress: Callable[[int, int], None] | None = None,
) -> DecodeResult:
    """Stems for the codes [Q, T] of a circular context: codes [K, Q, T], one a key.

    A code's order is its step in the pass that decoded it last.
    """
    count, frames = len(keys), context.shape[1]
    half = frames // 2
    seam = min(round(SEAM_SECONDS * model.codec.config.frame_rate), frames // 4)
    is_kept = np.ones(context.shape, bool)
    is_kept[:, frames - half - seam : frames - half + seam] = False

    def run(codes, keys, kept, number):
        report = progress and (lambda d, n: progress(number * n + d, (1 + count) * n))
        _, decoded = model.decode_codes(
            np.repeat(codes[None], len(keys), axis=0),
            np.full(len(keys), category, np.int32),
            keys,
            config,
            num_samples=num_samples,
            kept=kept,
            progress=report,
        )
        return decoded

    first = run(context, keys, None, 0)
    again = jax.vmap(lambda key: jax.random.fold_in(key, SECOND_PASS))(keys)
    turned = np.roll(context, -half, axis=-1)
    codes, order, seconds = np.array(first.codes), np.array(first.order), 0.0
    for k in range(count):
        kept = Kept(np.roll(codes[k], -half, axis=-1), is_kept)
        second = run(turned, again[k : k + 1], kept, k + 1)
        codes[k] = np.roll(second.codes[0], half, axis=-1)
        is_seam = np.roll(~is_kept, half, axis=-1)
        order[k] = np.where(is_seam, np.roll(second.order[0], half, -1), order[k])
        seconds += second.compile_seconds
    return DecodeResult(codes, order, first.compile_seconds + seconds)


def play(codec: Codec, codes: np.ndarray, num_samples: int) -> np.ndarray:
    """Codes [Q, T] of a loop to its audio [N], whose end goes on into its beginning."""
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
