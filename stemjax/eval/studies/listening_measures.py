"""Measures of the listening study on files; each stem is analysed once and cached."""

import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from stemjax.analysis.audio import RATE
from stemjax.analysis.loudness import integrated_lufs
from stemjax.config.categories import category_of
from stemjax.eval.metrics import alignment
from stemjax.eval.metrics.context_gain import encode_files, stem_gains
from stemjax.eval.metrics.instrument_classifier import LoadedClassifier
from stemjax.eval.metrics.score import probe_all
from stemjax.eval.metrics.stem_traits import (
    DRONE_SHARE,
    StemTraits,
    cached_stem_traits,
    distinct_pitches,
    groove_values,
    pitch_share,
)
from stemjax.eval.populations import anchors, clips
from stemjax.eval.populations.clips import Example, Triple
from stemjax.eval.populations.decoding_run import (
    DecodingRun,
    context_path,
    real_path,
)
from stemjax.eval.populations.generate import Pair
from stemjax.eval.populations.progress import StageProgress, advance
from stemjax.eval.populations.store import cached, stage_folder
from stemjax.eval.studies.listening import (
    CODEC,
    FITS,
    MISMATCHED,
    REAL,
    REFERENCES,
    SILENCE,
    TRAITS,
    UNPITCHED,
    Measure,
    fit_values,
)
from stemjax.io.audio_files.formats import write_flac
from stemjax.tasks.context_loss import ScoringModel

Paths = Sequence[pathlib.Path]
"""[P] a file for each example."""


def write_references(
    run: DecodingRun,
    pairs: Sequence[Pair],
    mismatched: Sequence[Pair],
    progress: StageProgress = lambda what, done, total: None,
) -> dict[str, Paths]:
    """Write the missing stems of `REFERENCES`; returns row -> files of the examples.

    Args:
      pairs: P of the run's examples.
      mismatched: [P] pairs of other songs whose stems are the mismatched stems.
    """
    folder = run.folder / "anchors" / MISMATCHED
    paths = [folder / f"{pair.id}.flac" for pair in pairs]
    for path, partner in zip(paths, mismatched, strict=True):
        if not path.is_file():
            _, stem = run.examples.read(partner)
            write_flac(path, stem, run.system.sample_rate)
    anchors.write_silence(run)
    step = advance(progress, CODEC, len(run.examples.pairs))
    anchors.write_codec_floor(run, progress=step)
    return {
        REAL: [real_path(run.folder, pair) for pair in pairs],
        MISMATCHED: paths,
        CODEC: [anchors.codec_path(run, pair) for pair in pairs],
        SILENCE: [anchors.silence_path(run)] * len(pairs),
    }


def measure_all(
    folder: pathlib.Path,
    pairs: Sequence[Pair],
    others: Sequence[int],
    stems: Mapping[str, Sequence[Paths]],
    model: ScoringModel,
    instruments: LoadedClassifier,
    cache: pathlib.Path,
    *,
    progress: StageProgress = lambda what, done, total: None,
) -> dict[str, dict[Measure, np.ndarray]]:
    """Row -> measure -> [P] values; means over seeds, NaN if an example has none.

    A silent stem of a reference row has no score (NaN); a silent generated stem scores 0.

    Args:
      folder: the folder with `real/` and `context/`.
      others: [P] of `listening.other_contexts`.
      stems: row -> files for each decoding seed.
      model: the model that measures context gain.
      instruments: the classifier that names a stem's instrument.
      cache: folder of cached analyses.
    """
    facts = functools.cache(clips.read_facts)
    codes = functools.cache(lambda path: encode_files(model.codec, [path])[0])

    def probe(paths: Paths) -> list[Example]:
        triples = [
            Triple(pair.id, real_path(folder, pair), path, context_path(folder, pair))
            for pair, path in zip(pairs, paths, strict=True)
        ]
        return probe_all(triples, facts, progress)

    def measure(name: str, paths: Paths) -> dict[Measure, np.ndarray]:
        examples = probe(paths)
        step = advance(progress, f"beats and chroma: {name}", 3 * len(pairs))
        context, real, generated = (
            alignment.cached_beats_and_chroma(
                [(e, role) for e in examples], cache, progress=step
            )
            for role in ("context", "real", "generated")
        )
        values = {
            m: fit_values(fit, context, real, generated) for m, fit in FITS.items()
        }
        values[Measure.CHROMA][[pair.category in UNPITCHED for pair in pairs]] = np.nan
        traits = cached_stem_traits(
            [(e, "generated") for e in examples],
            cache,
            progress=advance(progress, f"traits: {name}", len(pairs)),
        )
        values[Measure.GROOVE] = groove_values([c.beats for c in context], traits)
        step = advance(progress, f"instruments: {name}", len(pairs))
        values[Measure.INSTRUMENT] = has_right_instrument(
            examples, pairs, instruments, cache, progress=step
        )
        if name in REFERENCES:
            is_silent = np.array([e.is_silent["generated"] for e in examples])
            for row in values.values():
                row[is_silent] = np.nan
        values |= trait_values(examples, pairs, traits)
        step = advance(progress, f"context gain: {name}", len(pairs))
        values[Measure.GAIN] = gains(
            examples, pairs, others, model, codes, cache, progress=step
        )[:, 0]
        return values

    means = {}
    for name, by_seed in stems.items():
        measured = [measure(name, paths) for paths in by_seed]
        means[name] = {m: _mean([v[m] for v in measured], m) for m in Measure}
    return means


def _mean(by_seed: Sequence[np.ndarray], measure: Measure) -> np.ndarray:
    """Mean over seeds, [P]; of a trait, over the seeds that have a value."""
    if measure not in TRAITS:
        return np.mean(by_seed, axis=0)
    has_value = np.isfinite(by_seed)
    total = np.where(has_value, by_seed, 0).sum(axis=0)
    count = has_value.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def trait_values(
    examples: Sequence[Example], pairs: Sequence[Pair], stems: Sequence[StemTraits]
) -> dict[Measure, np.ndarray]:
    """Traits of each stem, [P]; NaN if it has none.

    Stems of unpitched categories have no pitch, silent stems neither pitch nor loudness.
    """
    is_unpitched = np.array([pair.category in UNPITCHED for pair in pairs])
    contexts = [clips.load(e, "context") for e in examples]
    below = np.array(
        [
            integrated_lufs(context, RATE) - stem.lufs
            for context, stem in zip(contexts, stems, strict=True)
        ]
    )
    shares = np.array([pitch_share(stem.notes) for stem in stems])
    pitches = np.array(
        [
            distinct_pitches(stem.notes, e.seconds)
            for e, stem in zip(examples, stems, strict=True)
        ]
    )
    drones = np.where(np.isnan(shares), np.nan, shares >= DRONE_SHARE)
    values = {
        Measure.DRONE: drones,
        Measure.PITCH_SHARE: shares,
        Measure.PITCHES: pitches,
    }
    for row in values.values():
        row[is_unpitched] = np.nan
    return values | {
        Measure.SILENT: np.array([stem.silent_share for stem in stems]),
        Measure.BELOW: np.where(np.isfinite(below), below, np.nan),
    }


def has_right_instrument(
    examples: Sequence[Example],
    pairs: Sequence[Pair],
    instruments: LoadedClassifier,
    cache: pathlib.Path,
    *,
    progress: Callable[[int], None],
) -> np.ndarray:
    """Whether the classifier names each stem's instrument, [P] of 0.0 and 1.0."""

    def analyse(missing: Sequence[Example]) -> list[dict[str, np.ndarray]]:
        answers = [instruments.answer(clips.load(e, "generated")) for e in missing]
        return [{"answer": np.asarray(-1 if a is None else a)} for a in answers]

    keys = [clips.joined_key([e.keys["generated"], f"{e.seconds}"]) for e in examples]
    stage = stage_folder(cache, "instrument", {"classifier": instruments.sha256})
    items = dict(zip(keys, examples, strict=True))
    rows = cached(stage, items, analyse, progress=progress)
    return np.array(
        [
            float(int(rows[key]["answer"]) == category_of(pair.category))
            for key, pair in zip(keys, pairs, strict=True)
        ]
    )


def gains(
    examples: Sequence[Example],
    pairs: Sequence[Pair],
    others: Sequence[int],
    model: ScoringModel,
    codes: Callable[[pathlib.Path], np.ndarray],
    cache: pathlib.Path,
    *,
    progress: Callable[[int], None],
) -> np.ndarray:
    """Context gain of each stem at each codec level, [P, Q] nats per token."""

    def analyse(missing: Sequence[int]) -> list[dict[str, np.ndarray]]:
        triples = [examples[k].triple for k in missing]
        values = stem_gains(
            model,
            [pairs[k] for k in missing],
            np.stack([codes(t.context) for t in triples]),
            np.stack([codes(examples[others[k]].triple.context) for k in missing]),
            np.stack([codes(t.generated) for t in triples]),
        )
        return [{"gains": row} for row in values]

    keys = [
        clips.joined_key(
            [
                e.keys["generated"],
                e.keys["context"],
                examples[other].keys["context"],
                pair.category,
            ]
        )
        for e, other, pair in zip(examples, others, pairs, strict=True)
    ]
    params = {"model": model.sha256, "codec": model.codec.sha256, "version": 1}
    stage = stage_folder(cache, "stem_gain", params)
    items = dict(zip(keys, range(len(pairs)), strict=True))
    rows = cached(stage, items, analyse, progress=progress)
    return np.stack([rows[key]["gains"] for key in keys])
