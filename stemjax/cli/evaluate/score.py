"""`evaluate.py score`: distances of generated from real stems."""

import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from stemjax import codec
from stemjax.analysis.extract import basic_pitch_analyser, salience_analyser
from stemjax.cli.evaluate.arguments import (
    Music,
    Notes,
    Populations,
    Score,
    Windows,
)
from stemjax.codec.codec import CodecFile
from stemjax.config.metrics import Metric
from stemjax.eval.metrics import embeddings, imported, imported_scores
from stemjax.eval.metrics.embeddings import Embedding
from stemjax.eval.metrics.score import MusicSource, Settings, score
from stemjax.eval.metrics.vggish.features import PRESETS
from stemjax.eval.metrics.vggish.weights import Unavailable, find
from stemjax.eval.populations.clips import Triple, pair_folders
from stemjax.eval.reports import report
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError

DELAY = 2.0  # seconds before a bar is drawn: bad input gets its one line alone
ANALYSERS = {Notes.SALIENCE: salience_analyser, Notes.BASIC_PITCH: basic_pitch_analyser}
METRICS_FILE, REPORT_FILE = "metrics.json", "report.md"


def run(command: Score) -> None:
    """Measure, write metrics.json and report.md, print the report.

    Raises:
      UserError: bad folders or files, or a required metric that cannot be measured.
    """
    if command.only is not None:
        return run_one(command, Metric(command.only.value))
    if not command.out:
        raise UserError("give --out DIR, the folder for metrics.json and report.md")
    real, generated = folders(command)
    context = context_folder(command)
    triples = pair_folders(real, generated, context)
    ids = [triple.id for triple in triples]
    others = imported_scores.read_named(command.scores)
    imported_scores.check_ids(others, ids)
    if command.descriptors_from and context is None:
        raise UserError("--descriptors-from is of context + stem; give --context")
    settings = settings_for(
        codec.identify(command.codec),
        vggish=command.vggish,
        preset=command.fad_preset,
        analyser=music_source(command, ids) if context else None,
        seed=command.seed,
        drops_silent=command.drop_silent,
    )._replace(imported=others)
    for name in command.require:
        _check_required(name, settings)
    result = measure(triples, command.cache, settings)
    out = pathlib.Path(command.out)
    page = report.markdown(result, f"Score of {pathlib.Path(generated).name}")
    write_text(out / REPORT_FILE, page)
    write_text(out / METRICS_FILE, json.dumps(result, indent=1, sort_keys=True) + "\n")
    print(page, end="")


def run_one(command: Score, metric: Metric) -> None:
    """Measure one metric, print it in one line, write metrics.json into --out if given.

    Raises:
      UserError: no weights for FAD, no contexts for MIRDD, bad folders or files.
    """
    real, generated = folders(command)
    context = context_folder(command)
    measured, analyser = (), None
    if metric is Metric.FAD:
        triples = pair_folders(real, generated)
        found, unavailable = stem_embeddings(command.vggish, command.fad_preset)
        if metric in unavailable:
            raise UserError(unavailable[metric])
        measured = tuple(each for each in found if each.metric is metric)
    else:
        if context is None:
            raise UserError("MIRDD is of context and stem together; give --context")
        triples = pair_folders(real, generated, context)
        analyser = music_source(command, [triple.id for triple in triples])
    settings = Settings(
        embeddings=measured,
        analyser=analyser,
        unavailable={},
        drops_silent=command.drop_silent,
        seed=command.seed,
    )
    result = measure(triples, command.cache, settings)
    if command.out:
        text = json.dumps(result, indent=1, sort_keys=True) + "\n"
        write_text(pathlib.Path(command.out) / METRICS_FILE, text)
    entry = result["metrics"][metric.value]
    print(f"{entry['id']} {report.number(entry)} (n={result['n']})")


def folders(command: Populations) -> tuple[str, str]:
    """The folders of real and of generated stems.

    Raises:
      UserError: neither a run nor the two folders.
    """
    run = pathlib.Path(command.run)
    if command.run and not run.is_dir():
        raise UserError(
            f"{run}: no such folder; give what `evaluate.py generate` wrote"
        )
    if not command.run and not (command.real and command.generated):
        raise UserError("give --run, or --real and --generated")
    real = command.real or str(run / "real")
    return real, command.generated or str(run / "generated")


def context_folder(command: Score) -> str | None:
    """The folder of contexts, if there is one."""
    run = pathlib.Path(command.run)
    return command.context or (str(run / "context") if command.run else None)


def music_source(command: Music, ids: Sequence[str]) -> MusicSource:
    """What tells the music of the mixes of examples.

    Raises:
      UserError: analyses that were made elsewhere are missing or bad, or Basic Pitch is
        not installed.
    """
    if not command.descriptors_from:
        return ANALYSERS[command.notes]()
    if command.notes is not Notes.SALIENCE:
        raise UserError("give --notes or --descriptors-from, not both")
    music = imported.imported_music(command.descriptors_from)
    imported.check_ids(music, ids)
    return music


def measure(
    triples: Sequence[Triple], cache: str, settings: Settings
) -> dict[str, Any]:
    """`score` with a bar of progress."""
    progress = Progress()
    try:
        folder = pathlib.Path(cache).expanduser()
        return score(triples, folder, settings, progress=progress)
    finally:
        progress.close()


def settings_for(
    own_codec: CodecFile,
    *,
    vggish: str,
    preset: Windows,
    analyser: MusicSource | None,
    seed: int,
    drops_silent: bool = False,
) -> Settings:
    """What a score measures, from what there is.

    own_codec: of FD-codec.  vggish: file of weights, "" to look for it.
    analyser: of the mixes; None: there are no contexts.
    """
    measured, unavailable = stem_embeddings(vggish, preset)
    if analyser is None:
        for metric in (Metric.MIRDD, Metric.MIRDD_9, Metric.MIRDD_REL):
            unavailable[metric] = "no contexts; give --context"
    return Settings(
        embeddings=(*measured, embeddings.codec_embedding(own_codec)),
        analyser=analyser,
        unavailable=unavailable,
        drops_silent=drops_silent,
        seed=seed,
        has_related=analyser is not None,
    )


def stem_embeddings(
    vggish: str, preset: Windows
) -> tuple[list[Embedding], dict[Metric, str]]:
    """VGGish where there are weights, and log-mel; why there is no VGGish, by metric."""
    windows = PRESETS[preset.value]
    found = [embeddings.log_mel(windows)]
    weights = find(vggish or None)
    if isinstance(weights, Unavailable):
        return found, {Metric.FAD: weights.reason}
    return [embeddings.vggish_embedding(weights, windows), *found], {}


def _check_required(name: str, settings: Settings) -> None:
    try:
        metric = Metric(name)
    except ValueError:
        known = ", ".join(m.value for m in Metric)
        raise UserError(f"--require {name}: unknown metric; one of {known}") from None
    if metric in settings.unavailable:
        raise UserError(f"--require {name}: {settings.unavailable[metric]}")


def read_score(path: str) -> dict[str, Any]:
    """A metrics.json, or that of a folder.

    Raises:
      UserError: no such file, or not a score.
    """
    file = pathlib.Path(path)
    file = file / METRICS_FILE if file.is_dir() else file
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["format"] == 1 and "metrics" in found:
            return found
    except OSError:
        raise UserError(f"{file}: no such file; give what `score` wrote") from None
    except (ValueError, KeyError, TypeError):
        pass
    raise UserError(f"{file}: not a score of this version; score again")


class Progress:
    """One bar on stderr, renamed with each part of the work."""

    def __init__(self):
        self._bar = None

    def __call__(self, what: str, done: int, total: int) -> None:
        from tqdm import tqdm

        if self._bar is None or self._bar.desc != f"{what}: ":
            self.close()
            self._bar = tqdm(
                desc=what, total=total, unit="clip", file=sys.stderr, delay=DELAY
            )
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
