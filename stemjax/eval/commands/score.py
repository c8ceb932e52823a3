"""`python evaluate.py score` and `compare`."""

import json
import pathlib
import sys
from typing import Any

from stemjax import codec
from stemjax.config.metrics import Metric
from stemjax.eval import compare, embeddings, report
from stemjax.eval.clips import pair_folders
from stemjax.eval.commands.arguments import Compare, Notes, Score, Windows
from stemjax.eval.descriptors.extract import basic_pitch_analyser, salience_analyser
from stemjax.eval.score import Settings, score
from stemjax.eval.vggish_input import PRESETS
from stemjax.eval.vggish_weights import Unavailable, find
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError

DELAY = 2.0  # seconds before a bar is drawn: bad input gets its one line alone
ANALYSERS = {Notes.SALIENCE: salience_analyser, Notes.BASIC_PITCH: basic_pitch_analyser}
METRICS_FILE, REPORT_FILE = "metrics.json", "report.md"


def run_score(command: Score) -> dict[str, Any]:
    """Measure, write metrics.json and report.md, print the report."""
    real, generated, context = folders(command)
    triples = pair_folders(real, generated, context)
    settings = settings_for(
        codec.load(command.codec),
        vggish=command.vggish,
        preset=command.fad_preset,
        notes=command.notes,
        seed=command.seed,
        has_context=context is not None,
        drops_silent=command.drop_silent,
    )
    for name in command.require:
        _check_required(name, settings)
    progress = Progress()
    cache = pathlib.Path(command.cache).expanduser()
    try:
        result = score(triples, cache, settings, progress=progress)
    finally:
        progress.close()
    out = pathlib.Path(command.out)
    page = report.markdown(result, f"Score of {pathlib.Path(generated).name}")
    write_text(out / REPORT_FILE, page)
    write_text(out / METRICS_FILE, json.dumps(result, indent=1, sort_keys=True) + "\n")
    print(page, end="")
    return result


def folders(command: Score) -> tuple[str, str, str | None]:
    """Real, generated and, if there is one, context folder.

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
    context = command.context or (str(run / "context") if command.run else None)
    return (
        command.real or str(run / "real"),
        command.generated or str(run / "generated"),
        context,
    )


def settings_for(
    own_codec: codec.Codec,
    *,
    vggish: str,
    preset: Windows,
    notes: Notes,
    seed: int,
    has_context: bool = True,
    drops_silent: bool = False,
) -> Settings:
    """What a score measures, from what there is.

    own_codec: of FD-codec.  vggish: file of weights, "" to look for it.
    """
    windows = PRESETS[preset.value]
    measured = [embeddings.log_mel(windows), embeddings.codec_embedding(own_codec)]
    unavailable: dict[Metric, str] = {}
    weights = find(vggish or None)
    if isinstance(weights, Unavailable):
        unavailable[Metric.FAD] = weights.reason
    else:
        measured.insert(0, embeddings.vggish_embedding(weights, windows))
    if not has_context:
        for metric in (Metric.MIRDD, Metric.MIRDD_9, Metric.MIRDD_REL):
            unavailable[metric] = "no contexts; give --context"
    return Settings(
        embeddings=tuple(measured),
        analyser=ANALYSERS[notes]() if has_context else None,
        unavailable=unavailable,
        drops_silent=drops_silent,
        seed=seed,
        has_related=has_context,
    )


def _check_required(name: str, settings: Settings) -> None:
    try:
        metric = Metric(name)
    except ValueError:
        known = ", ".join(m.value for m in Metric)
        raise UserError(f"--require {name}: unknown metric; one of {known}") from None
    if metric in settings.unavailable:
        raise UserError(f"--require {name}: {settings.unavailable[metric]}")


def run_compare(command: Compare) -> dict[str, Any]:
    """Print the differences; returns them."""
    result = compare.compare(read_score(command.a), read_score(command.b))
    print(compare.table(result))
    return result


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
