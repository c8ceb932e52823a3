"""Context gain of generated stems: how much they depend on their own context.

The cross-entropy of a stem's coarsest tokens given another song's context minus that
given its own, in nats per token, all of its tokens hidden (the first ratio of
`stemjax.eval.metrics.context_gain`).  The judge is the model that made the stems, not another
listener: it says how far they follow what the model takes from a context, not whether
they fit in anyone else's ears, and stronger guidance can raise it by itself.  Compare
settings of one model by it, never two models.
"""

import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from stemjax.codec.codec import Codec
from stemjax.config.categories import category_of
from stemjax.config.model import StemGenConfig
from stemjax.eval.metrics.context_gain import measure, pair_losses
from stemjax.eval.populations.anchors import misaligned
from stemjax.eval.populations.generate import Pair
from stemjax.io.audio import read_audio

BATCH = 4  # windows of one forward


class Listener(Protocol):
    """The model that judges: `stemjax.api.Model`."""

    @property
    def sha256(self) -> str: ...

    @property
    def config(self) -> StemGenConfig: ...

    @property
    def params(self) -> Mapping[str, Any]: ...

    @property
    def codec(self) -> Codec: ...

    @property
    def trained_frames(self) -> int: ...


class StemGain(NamedTuple):
    """Nats per token."""

    value: float
    se: float
    """Jackknife over songs; NaN with fewer than two."""


def encode_files(codec: Codec, paths: Sequence[pathlib.Path]) -> np.ndarray:
    """Codes [P, Q, T] int32 of mono files of one length at the codec's rate."""
    codes = []
    for path in paths:
        audio = read_audio(path)[0].reshape(-1).astype(np.float32)
        padded = np.pad(audio, (0, -len(audio) % codec.config.hop))
        codes.append(np.asarray(codec.encode(padded[None])))
    return np.concatenate(codes)


def stem_gain(
    listener: Listener, pairs: Sequence[Pair], contexts: np.ndarray, stems: np.ndarray
) -> StemGain | None:
    """The gain of stems; None where `misaligned` finds no other song for each.

    contexts, stems: codes [P, Q, T] int32 of the examples `pairs`.  They are cut into
    windows of the trained length, which the model hears one by one; what is left over
    at the end is not heard.
    """
    partners = misaligned(pairs)
    if partners is None:
        return None
    batches = _batches(*_about(pairs), contexts, contexts[partners], stems, listener)
    level = measure(listener.params, listener.config, batches, ratios=(1.0,))[1]
    return StemGain(level["gain_nats"], _standard_error(level))


def stem_gains(
    listener: Listener,
    pairs: Sequence[Pair],
    contexts: np.ndarray,
    others: np.ndarray,
    stems: np.ndarray,
) -> np.ndarray:
    """The gain of each stem by itself at each level, [P, Q] nats per token.

    contexts, others, stems: codes [P, Q, T] int32: of the context that a stem is set
    beside, of another song's, of the stem.  Means over windows, as in `stem_gain`.
    """
    batches = _batches(*_about(pairs), contexts, others, stems, listener)
    (own, other, _), _ = pair_losses(
        listener.params, listener.config, batches, ratios=(1.0,)
    )
    return (other - own)[:, 0].reshape(len(own), len(pairs), -1).mean(axis=2).T


def gains_over_none(
    listener: Listener,
    categories: Sequence[int],
    contexts: np.ndarray,
    stems: np.ndarray,
) -> np.ndarray:
    """What hearing the context is worth to each stem's coarsest codes against hearing
    nothing, [P] nats per token: for answers to a recording that stands alone.

    categories: P instruments.  contexts, stems: codes [P, Q, T] int32.  Means over
    windows, as in `stem_gain`.
    """
    songs = list(range(len(stems)))
    batches = _batches(categories, songs, contexts, contexts, stems, listener)
    (own, _, null), _ = pair_losses(
        listener.params, listener.config, batches, ratios=(1.0,)
    )
    return (null - own)[0, 0].reshape(len(stems), -1).mean(axis=1)


def _about(pairs: Sequence[Pair]) -> tuple[list[int], list[Any]]:
    """The categories and the songs of pairs."""
    return [category_of(pair.category) for pair in pairs], [p.song for p in pairs]


def _standard_error(level: Mapping[str, Any]) -> float:
    """From the 95 % interval, Student's with a degree less than there are songs."""
    from scipy import stats

    if level["low"] is None:
        return float("nan")
    half = (level["high"] - level["low"]) / 2
    return half / float(stats.t.ppf(0.975, level["n_songs"] - 1))


def _batches(
    categories: Sequence[int],
    songs: Sequence[Any],
    contexts: np.ndarray,
    others: np.ndarray,
    stems: np.ndarray,
    listener: Listener,
) -> Iterator[dict[str, np.ndarray]]:
    """Batches of `measure`: every window is a row, of its example's song."""
    frames = stems.shape[-1]
    width = min(frames, listener.trained_frames)
    starts = range(0, frames - width + 1, width)
    rows = [(p, start) for p in range(len(stems)) for start in starts]
    for first in range(0, len(rows), BATCH):
        real = rows[first : first + BATCH]
        batch = real + [real[-1]] * (BATCH - len(real))

        def cut(codes: np.ndarray, batch=batch) -> np.ndarray:
            return np.stack([codes[p, :, s : s + width] for p, s in batch])

        yield {
            "context_codes": cut(contexts),
            "other_context_codes": cut(others),
            "target_codes": cut(stems),
            "instrument": np.array([categories[p] for p, _ in batch], np.int32),
            "song": np.array([songs[p] for p, _ in batch]),
            "row": np.arange(first, first + BATCH, dtype=np.int32),
            "is_valid": np.arange(BATCH) < len(real),
        }
