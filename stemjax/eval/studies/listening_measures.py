"""The measures of `listening` on files: each stem once, whatever row or run asks for it."""

import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.config.categories import category_of
from stemjax.eval.metrics import alignment
from stemjax.eval.metrics.context_gain import encode_files, stem_gains
from stemjax.eval.metrics.instrument_classifier import Loaded
from stemjax.eval.metrics.score import probe_all
from stemjax.eval.populations import clips
from stemjax.eval.populations.clips import Example, Triple
from stemjax.eval.populations.decoding_run import context_path, real_path
from stemjax.eval.populations.generate import Pair
from stemjax.eval.populations.progress import Progress, advance
from stemjax.eval.populations.store import cached, stage_folder
from stemjax.eval.studies.listening import FITS, SAYS, UNPITCHED, Measure, fit_values
from stemjax.tasks.context_loss import Listener


class Judges(NamedTuple):
    """Who says what a stem is worth, beside its beats and its chroma."""

    model: Listener
    instruments: Loaded


def measure_all(
    folder: pathlib.Path,
    pairs: Sequence[Pair],
    others: Sequence[int],
    stems: Mapping[str, Sequence[Sequence[pathlib.Path]]],
    judges: Judges,
    cache: pathlib.Path,
    *,
    progress: Progress = lambda what, done, total: None,
) -> dict[str, dict[Measure, np.ndarray]]:
    """Row -> measure -> [P]: means over answers, NaN where an example has none.

    folder: of `real/` and `context/`.  others: of `listening.other_contexts`.
    stems: row -> [answer][example] files.

    What a row that no model made has of silence is NaN; of a generated stem it is 0.
    """
    facts = functools.cache(clips.read_facts)
    codes = functools.cache(lambda path: encode_files(judges.model.codec, [path])[0])

    def probe(paths: Sequence[pathlib.Path]) -> list[Example]:
        triples = [
            Triple(pair.id, real_path(folder, pair), path, context_path(folder, pair))
            for pair, path in zip(pairs, paths, strict=True)
        ]
        return probe_all(triples, facts, progress)

    def of_answer(
        name: str, paths: Sequence[pathlib.Path]
    ) -> dict[Measure, np.ndarray]:
        examples = probe(paths)
        step = advance(progress, f"beats and chroma: {name}", 3 * len(pairs))
        context, real, own = (
            alignment.listen([(e, role) for e in examples], cache, progress=step)
            for role in ("context", "real", "generated")
        )
        found = {m: fit_values(fit, context, real, own) for m, fit in FITS.items()}
        found[Measure.CHROMA][[pair.category in UNPITCHED for pair in pairs]] = np.nan
        step = advance(progress, f"instruments: {name}", len(pairs))
        found[Measure.INSTRUMENT] = named_rightly(
            examples, pairs, judges.instruments, cache, progress=step
        )
        if name in SAYS:
            is_silent = np.array([e.is_silent["generated"] for e in examples])
            for values in found.values():
                values[is_silent] = np.nan
        step = advance(progress, f"context gain: {name}", len(pairs))
        found[Measure.GAIN] = gains(
            examples, pairs, others, judges.model, codes, cache, progress=step
        )[:, 0]
        return found

    values = {}
    for name, answers in stems.items():
        found = [of_answer(name, paths) for paths in answers]
        values[name] = {m: np.mean([f[m] for f in found], axis=0) for m in Measure}
    return values


def named_rightly(
    examples: Sequence[Example],
    pairs: Sequence[Pair],
    instruments: Loaded,
    cache: pathlib.Path,
    *,
    progress: Callable[[int], None],
) -> np.ndarray:
    """Whether the classifier names each stem's instrument, [P] of 0 and 1."""

    def analyse(missing: Sequence[Example]) -> list[dict[str, np.ndarray]]:
        answers = [instruments.answer(clips.load(e, "generated")) for e in missing]
        return [{"answer": np.asarray(-1 if a is None else a)} for a in answers]

    keys = [clips.joined_key([e.keys["generated"], f"{e.seconds}"]) for e in examples]
    where = stage_folder(cache, "instrument", {"classifier": instruments.sha256})
    found = cached(
        where, dict(zip(keys, examples, strict=True)), analyse, progress=progress
    )
    return np.array(
        [
            float(int(found[key]["answer"]) == category_of(pair.category))
            for key, pair in zip(keys, pairs, strict=True)
        ]
    )


def gains(
    examples: Sequence[Example],
    pairs: Sequence[Pair],
    others: Sequence[int],
    model: Listener,
    codes: Callable[[pathlib.Path], np.ndarray],
    cache: pathlib.Path,
    *,
    progress: Callable[[int], None],
) -> np.ndarray:
    """Context gain of each stem at each level, [P, Q] nats per token."""

    def analyse(missing: Sequence[int]) -> list[dict[str, np.ndarray]]:
        of = [examples[k].triple for k in missing]
        found = stem_gains(
            model,
            [pairs[k] for k in missing],
            np.stack([codes(t.context) for t in of]),
            np.stack([codes(examples[others[k]].triple.context) for k in missing]),
            np.stack([codes(t.generated) for t in of]),
        )
        return [{"gains": row} for row in found]

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
    where = stage_folder(cache, "stem_gain", params)
    items = dict(zip(keys, range(len(pairs)), strict=True))
    rows = cached(where, items, analyse, progress=progress)
    return np.stack([rows[key]["gains"] for key in keys])
