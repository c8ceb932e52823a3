"""Layering: each stem answers the mix so far (the StemGen authors' demonstrations).

Pure of files: `stemjax.session.folder` reads and writes them.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.api import Model, variation_keys
from stemjax.config.categories import CATEGORIES
from stemjax.config.decode import DecodeConfig
from stemjax.config.runs import from_json, to_json
from stemjax.decode.windows import OVERLAP_SECONDS
from stemjax.io.errors import UserError
from stemjax.session import loops, scoring
from stemjax.session.loudness import from_db, stem_gain_db
from stemjax.session.mixing import total
from stemjax.session.session_file import FILE, Layer

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """A stem that is asked for."""

    category: int
    seed: int
    config: DecodeConfig
    preset: str | None = None
    variations: int = 1
    keep: int | None = None
    """Which variation, from 1; None: the one with the best score."""

    def settings(self) -> dict[str, Any]:
        """What of it session.json keeps, beside the instrument and the seed."""
        return {
            "preset": self.preset,
            "variations": self.variations,
            "keep": self.keep or "best",
            **to_json(self.config),
        }


def request_of(layer: Layer) -> Request:
    """What was asked for when a layer was made.

    Raises:
      UserError: it does not say.
    """
    try:
        settings = dict(layer.settings)
        keep = settings.pop("keep")
        return Request(
            category=CATEGORIES.index(layer.instrument),
            seed=layer.seed,
            preset=settings.pop("preset"),
            variations=settings.pop("variations"),
            keep=None if keep == "best" else keep,
            config=from_json(DecodeConfig, settings),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{FILE}: how layer {layer.id} was made is not readable ({error}); layer it"
            " again"
        ) from None


class Voice(NamedTuple):
    """A layer that sounds."""

    layer: Layer
    tokens: np.ndarray
    """[Q, T] int32."""
    stem: np.ndarray
    """[N] float32 at the model's rate, its gain applied."""


class Scene(NamedTuple):
    """What is layered upon."""

    model: Model
    context: np.ndarray
    """[N] mono float32 at the model's rate; zeros for a session from silence."""
    is_loop: bool

    def play(self, tokens: np.ndarray) -> np.ndarray:
        """The audio [N] of codes [Q, T], before any gain."""
        if self.is_loop:
            return loops.play(self.model.codec, tokens, len(self.context))
        return self.model.codec.decode(tokens[None])[0, : len(self.context)]

    def voice(self, layer: Layer, tokens: np.ndarray) -> Voice:
        """A layer of a session as it sounds."""
        return Voice(layer, tokens, from_db(layer.gain_db) * self.play(tokens))

    def heard(self, voices: Sequence[Voice]) -> np.ndarray:
        """The mix so far, [N], within full scale as the model's training had it."""
        mix = total([self.context, *(voice.stem for voice in voices)])
        return mix / np.float32(max(1.0, np.abs(mix).max()))


class Decoded(NamedTuple):
    """Answers to one context, K variations."""

    context: np.ndarray
    """[Q, T] codes of what was heard."""
    tokens: np.ndarray
    """[K, Q, T] int32."""
    order: np.ndarray
    """[K, Q, T] int32, as `Result.order`."""
    stems: np.ndarray
    """[K, N] float32 at the model's rate, before any gain."""
    compile_seconds: float


def decode(
    scene: Scene,
    heard: np.ndarray,
    request: Request,
    *,
    progress: Progress | None = None,
) -> Decoded:
    """Answers to what is heard, [N]; variation k of a seed is always the same."""
    model, count = scene.model, request.variations
    keys = variation_keys(np.full(count, request.seed), np.arange(count))
    if scene.is_loop:
        context = loops.circle_codes(model, heard)
        found = loops.answer(
            model,
            context,
            request.category,
            keys,
            request.config,
            num_samples=len(heard),
            progress=progress,
        )
        stems = np.stack([scene.play(tokens) for tokens in found.codes])
    else:
        context = model.encode_contexts(heard[None])[0]
        stems, found = model.decode_codes(
            np.repeat(context[None], count, axis=0),
            np.full(count, request.category, np.int32),
            keys,
            request.config,
            num_samples=len(heard),
            progress=progress,
        )
    tokens, order = np.asarray(found.codes), np.asarray(found.order)
    return Decoded(context, tokens, order, stems, found.compile_seconds)


def variations(
    scene: Scene,
    below: Sequence[Voice],
    request: Request,
    *,
    progress: Progress | None = None,
) -> list[Voice]:
    """A further layer in each of its variations, answers to the context and the layers
    before it.  Of several, each one's layer has the scores of all."""
    found = decode(scene, scene.heard(below), request, progress=progress)
    scores = {}
    if request.variations > 1:
        scores[scoring.SCORE] = scoring.score(
            scene.model, request.category, found.context, found.tokens
        )
    model, number = scene.model, len(below) + 1
    seconds = model.trained_frames / model.config.frame_rate
    voices = []
    for k, stem in enumerate(found.stems):
        layer = Layer(
            id=number,
            instrument=CATEGORIES[request.category],
            seed=request.seed,
            settings=request.settings(),
            window={
                "seconds": seconds,
                "overlap_seconds": min(OVERLAP_SECONDS, seconds / 2),
            },
            tokens=f"layer_{number:02d}.npz",
            stem=f"layer_{number:02d}.wav",
            gain_db=stem_gain_db(stem, scene.context, model.sample_rate),
            kept_variation=k + 1,
            scores=scores,
        )
        voices.append(Voice(layer, found.tokens[k], from_db(layer.gain_db) * stem))
    return voices


def add(
    scene: Scene,
    below: Sequence[Voice],
    request: Request,
    *,
    progress: Progress | None = None,
) -> Voice:
    """A further layer: of its variations that which was asked for, or the one with the
    best score."""
    voices = variations(scene, below, request, progress=progress)
    kept = request.keep or 1
    if request.keep is None and request.variations > 1:
        kept = scoring.best(voices[0].layer.scores[scoring.SCORE])
    return voices[kept - 1]


def remade(
    voices: Sequence[Voice], number: int, request: Request
) -> tuple[list[Voice], list[Request]]:
    """What stays, and what is asked for upon it, where layer `number`, from 1, is made
    anew: `request`, and with their own seeds and settings the later layers, which answer
    another mix then.

    Raises:
      UserError: a later layer does not say how it was made.
    """
    later = [request_of(voice.layer) for voice in voices[number:]]
    return list(voices[: number - 1]), [request, *later]
