"""`python evaluate.py fad` and `mirdd`, one metric of two populations in one line, and
`convert-vggish`, what FAD needs."""

from typing import Any

from stemjax.config.metrics import Metric
from stemjax.eval.clips import pair_folders
from stemjax.eval.commands.arguments import ConvertVggish, Fad, Mirdd
from stemjax.eval.commands.score import (
    context_folder,
    folders,
    measure,
    music_source,
    stem_embeddings,
)
from stemjax.eval.report import number
from stemjax.eval.score import Settings
from stemjax.eval.vggish_weights import convert
from stemjax.io.errors import UserError


def run_fad(command: Fad) -> dict[str, Any]:
    """Print FAD; returns a score that has this metric alone.

    Raises:
      UserError: no weights, bad folders or files.
    """
    triples = pair_folders(*folders(command))
    found, unavailable = stem_embeddings(command.vggish, command.fad_preset)
    if Metric.FAD in unavailable:
        raise UserError(unavailable[Metric.FAD])
    embedding = next(e for e in found if e.metric is Metric.FAD)
    settings = Settings(
        embeddings=(embedding,),
        analyser=None,
        unavailable={},
        drops_silent=command.drop_silent,
        seed=command.seed,
    )
    return _printed(measure(triples, command.cache, settings), Metric.FAD)


def run_mirdd(command: Mirdd) -> dict[str, Any]:
    """Print MIRDD; returns a score of music alone.

    Raises:
      UserError: no contexts, bad folders or files.
    """
    real, generated = folders(command)
    context = context_folder(command)
    if context is None:
        raise UserError("MIRDD is of context and stem together; give --context")
    triples = pair_folders(real, generated, context)
    settings = Settings(
        embeddings=(),
        analyser=music_source(command, [triple.id for triple in triples]),
        unavailable={},
        drops_silent=command.drop_silent,
        seed=command.seed,
    )
    return _printed(measure(triples, command.cache, settings), Metric.MIRDD)


def run_convert(command: ConvertVggish) -> None:
    """Convert VGGish's weights and say so.

    Raises:
      UserError: weights that fail the smoke test.
    """
    weights = convert(command.source, command.out)
    print(f"{command.out}: VGGish, sha256 {weights.sha256[:12]}, smoke test passed")


def _printed(report: dict[str, Any], metric: Metric) -> dict[str, Any]:
    entry = report["metrics"][metric.value]
    print(f"{entry['id']} {number(entry)} (n={report['n']})")
    return report
