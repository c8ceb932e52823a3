"""`evaluate.py score`: distances between generated and real stems."""

import pathlib
from collections.abc import Sequence
from typing import Any

from stemjax import codec
from stemjax.cli.evaluate.shared.analysers import ANALYSERS
from stemjax.cli.evaluate.shared.arguments import (
    NoteTranscriber,
    ScoreArguments,
)
from stemjax.cli.evaluate.shared.folders import DELAY, cache_folder, stem_folders
from stemjax.cli.evaluate.shared.progress import ProgressBar
from stemjax.config.metrics import Metric
from stemjax.eval.metrics import imported, imported_scores
from stemjax.eval.metrics.score import MusicSource, ScoreSettings, score
from stemjax.eval.metrics.score_file import METRICS_FILE
from stemjax.eval.populations.clips import Triple, pair_folders
from stemjax.eval.reports import report
from stemjax.eval.studies.score_settings import (
    check_required,
    make_settings,
    stem_embeddings,
)
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError
from stemjax.io.json_file import write_json


def run(command: ScoreArguments) -> None:
    """Score all available metrics, or the one of `--only`.

    Raises:
      UserError: bad folders or files, or a required metric that is unavailable.
    """
    if command.only is None:
        score_all(command)
    else:
        score_one(command, Metric(command.only.value))


def score_all(command: ScoreArguments) -> None:
    """Score all metrics, write metrics.json and report.md, print the report."""
    if not command.out:
        raise UserError("give --out DIR, the folder for metrics.json and report.md")
    real, generated = stem_folders(command)
    context = context_folder(command)
    triples = pair_folders(real, generated, context)
    ids = [triple.id for triple in triples]
    tables = imported_scores.read_named(command.scores)
    imported_scores.check_ids(tables, ids)
    if command.descriptors_from and context is None:
        raise UserError("--descriptors-from needs the contexts; give --context")
    settings = make_settings(
        codec.identify(command.codec),
        vggish=command.vggish,
        fad_preset=command.fad_preset.value,
        analyser=music_source(command, ids) if context else None,
        seed=command.seed,
        drops_silent=command.drop_silent,
    )._replace(imported=tables)
    for name in command.require:
        check_required(name, settings)
    result = measure(triples, command.cache, settings)
    page = report.markdown(result, f"Score of {pathlib.Path(generated).name}")
    out = pathlib.Path(command.out)
    write_text(out / "report.md", page)
    write_json(out / METRICS_FILE, result)
    print(page, end="")


def score_one(command: ScoreArguments, metric: Metric) -> None:
    """Score one metric, print it in one line, write metrics.json if `--out` is given.

    Raises:
      UserError: no VGGish weights for FAD, or no contexts for MIRDD.
    """
    real, generated = stem_folders(command)
    settings = ScoreSettings(
        embeddings=(),
        analyser=None,
        unavailable={},
        drops_silent=command.drop_silent,
        seed=command.seed,
    )
    if metric is Metric.FAD:
        triples = pair_folders(real, generated)
        embeddings, unavailable = stem_embeddings(
            command.vggish, command.fad_preset.value
        )
        if metric in unavailable:
            raise UserError(unavailable[metric])
        chosen = tuple(e for e in embeddings if e.metric is metric)
        settings = settings._replace(embeddings=chosen)
    else:
        context = context_folder(command)
        if context is None:
            raise UserError("MIRDD needs the contexts; give --context or --run")
        triples = pair_folders(real, generated, context)
        ids = [triple.id for triple in triples]
        settings = settings._replace(analyser=music_source(command, ids))
    result = measure(triples, command.cache, settings)
    if command.out:
        write_json(pathlib.Path(command.out) / METRICS_FILE, result)
    entry = result["metrics"][metric.value]
    print(f"{entry['id']} {report.number(entry)} (n={result['n']})")


def context_folder(command: ScoreArguments) -> str | None:
    """Folder of contexts; None if neither it nor a run is given."""
    run = pathlib.Path(command.run)
    return command.context or (str(run / "context") if command.run else None)


def music_source(command: ScoreArguments, ids: Sequence[str]) -> MusicSource:
    """Source of the music of the mixes, for MIRDD.

    Raises:
      UserError: bad or missing imported descriptors, or Basic Pitch is not installed.
    """
    if not command.descriptors_from:
        return ANALYSERS[command.notes]()
    if command.notes is not NoteTranscriber.SALIENCE:
        raise UserError("give --notes or --descriptors-from, not both")
    music = imported.imported_music(command.descriptors_from)
    imported.check_ids(music, ids)
    return music


def measure(
    triples: Sequence[Triple], cache: str, settings: ScoreSettings
) -> dict[str, Any]:
    """`metrics.score.score` with a progress bar."""
    with ProgressBar(delay=DELAY) as progress:
        return score(triples, cache_folder(cache), settings, progress=progress)
