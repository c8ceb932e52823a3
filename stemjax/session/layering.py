"""Layering: each stem is generated for the mix of the context and the stems before it.

As in the demonstrations of the StemGen authors.  `stemjax.session.folder` reads and
writes the files.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.config.categories import CATEGORIES
from stemjax.config.decode import DecodeConfig
from stemjax.config.numbers import CheckedNumbers, Count, Seed, Variations
from stemjax.decode.host import ProgressCallback
from stemjax.decode.stem_model import StemModel
from stemjax.decode.windows import OVERLAP_SECONDS
from stemjax.io.audio import sum_with_one_gain
from stemjax.session import loops, scoring
from stemjax.session.loudness import from_db, stem_gain_db
from stemjax.session.session import Session
from stemjax.session.session_file import (
    DecodingWindows,
    LayerRecord,
    LayerSettings,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerRequest(CheckedNumbers):
    """A layer to generate."""

    category: int
    """Index into `CATEGORIES`."""
    seed: Seed
    config: DecodeConfig
    preset: str | None = None
    """Name of the preset of `config`."""
    variations: Variations = 1
    """Number of stems to generate."""
    keep: Count | None = None
    """Number, from 1, of the variation to keep; None: the one with the best score."""

    def settings(self) -> LayerSettings:
        """Value of `LayerRecord.settings`."""
        return LayerSettings(
            preset=self.preset,
            variations=self.variations,
            keep=self.keep or "best",
            **_fields(self.config),
        )


def request_of(layer: LayerRecord) -> LayerRequest:
    """The request that a layer was generated from."""
    settings = layer.settings
    return LayerRequest(
        category=CATEGORIES.index(layer.instrument),
        seed=layer.seed,
        preset=settings.preset,
        variations=settings.variations,
        keep=None if settings.keep == "best" else settings.keep,
        config=DecodeConfig(**_fields(settings)),
    )


def _fields(config: DecodeConfig) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(DecodeConfig)]
    return {name: getattr(config, name) for name in names}


class LayeredStem(NamedTuple):
    """A layer of a session with its audio."""

    layer: LayerRecord
    tokens: np.ndarray
    """[Q, T] int32."""
    audio: np.ndarray
    """[N] float32 at the model's rate, with the gain of the layer."""


def decode_layer(
    model: StemModel, session: Session, layer: LayerRecord, tokens: np.ndarray
) -> LayeredStem:
    """Decode the tokens [Q, T] of a layer to audio."""
    samples = len(session.context)
    if session.is_loop:
        audio = loops.decode_loop(model.codec, tokens, samples)
    else:
        audio = model.decode_audio(tokens[None], samples)[0]
    return LayeredStem(layer, tokens, from_db(layer.gain_db) * audio)


def generate_variations(
    model: StemModel,
    session: Session,
    stems: Sequence[LayeredStem],
    request: LayerRequest,
    *,
    progress: ProgressCallback | None = None,
) -> list[LayeredStem]:
    """Generate all variations of the layer that follows `stems`.

    With several variations, each layer holds the scores of all of them.
    """
    mix = sum_with_one_gain([session.context, *(stem.audio for stem in stems)])
    results = model.generate_stems(
        mix.audio,
        request.config,
        category=request.category,
        seed=request.seed,
        variations=request.variations,
        loop=session.is_loop,
        progress=progress,
    )
    scores = {}
    if request.variations > 1:
        scores[scoring.SCORE] = scoring.context_gains(
            model,
            request.category,
            results[0].context_tokens,
            [result.tokens for result in results],
        )
    number = len(stems) + 1
    seconds = model.trained_frames / model.config.frame_rate
    variations = []
    for k, result in enumerate(results, start=1):
        gain_db = stem_gain_db(result.stem, session.context, model.sample_rate)
        layer = LayerRecord(
            id=number,
            instrument=CATEGORIES[request.category],
            seed=request.seed,
            settings=request.settings(),
            window=DecodingWindows(
                seconds=seconds, overlap_seconds=min(OVERLAP_SECONDS, seconds / 2)
            ),
            tokens=f"layer_{number:02d}.npz",
            stem=f"layer_{number:02d}.wav",
            gain_db=gain_db,
            kept_variation=k,
            scores=scores,
        )
        audio = from_db(gain_db) * result.stem
        variations.append(LayeredStem(layer, result.tokens, audio))
    return variations


def add_layer(
    model: StemModel,
    session: Session,
    stems: Sequence[LayeredStem],
    request: LayerRequest,
    *,
    progress: ProgressCallback | None = None,
) -> LayeredStem:
    """Generate the layer that follows `stems`; keep the variation that `request.keep`
    names, or the one with the best score."""
    variations = generate_variations(model, session, stems, request, progress=progress)
    number = request.keep or 1
    if request.keep is None and request.variations > 1:
        number = scoring.best(variations[0].layer.scores[scoring.SCORE])
    return variations[number - 1]


def plan_replacement(
    stems: Sequence[LayeredStem], number: int, request: LayerRequest
) -> tuple[list[LayeredStem], list[LayerRequest]]:
    """Plan the replacement of layer `number`, from 1.

    The layers after it are generated again from their own requests, because the mix below
    them changes.

    Returns:
      The stems before the layer, and the requests of the layer and of those after it.
    """
    later = [request_of(stem.layer) for stem in stems[number:]]
    return list(stems[: number - 1]), [request, *later]
