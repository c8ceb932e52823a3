"""Which metrics a score can measure on this machine, and how."""

from stemjax.codec.codec import CodecFile
from stemjax.config.metrics import Metric
from stemjax.eval.metrics import embeddings
from stemjax.eval.metrics.embeddings import Embedding
from stemjax.eval.metrics.score import MusicSource, ScoreSettings
from stemjax.eval.metrics.vggish.features import PRESETS
from stemjax.eval.metrics.vggish.weights import Unavailable, find
from stemjax.io.errors import UserError


def make_settings(
    codec: CodecFile,
    *,
    vggish: str,
    fad_preset: str,
    analyser: MusicSource | None,
    seed: int,
    drops_silent: bool = False,
) -> ScoreSettings:
    """Settings that measure all available metrics.

    Args:
      codec: codec of FD-codec.
      vggish: file of VGGish weights; "" searches the usual folders.
      fad_preset: key of `vggish.features.PRESETS`.
      analyser: source of the music of the mixes; None if there are no contexts.
      seed: seed of the jackknife groups and of the null distributions.
      drops_silent: whether to leave out examples with a silent generated stem.
    """
    measured, unavailable = stem_embeddings(vggish, fad_preset)
    if analyser is None:
        for metric in (Metric.MIRDD, Metric.MIRDD_9, Metric.MIRDD_REL):
            unavailable[metric] = "no contexts; give --context"
    return ScoreSettings(
        embeddings=(*measured, embeddings.codec_embedding(codec)),
        analyser=analyser,
        unavailable=unavailable,
        drops_silent=drops_silent,
        seed=seed,
        has_related=analyser is not None,
    )


def stem_embeddings(
    vggish: str, fad_preset: str
) -> tuple[list[Embedding], dict[Metric, str]]:
    """VGGish, if its weights exist, and log-mel; unavailable metrics with the reason."""
    windows = PRESETS[fad_preset]
    log_mel = embeddings.log_mel(windows)
    weights = find(vggish or None)
    if isinstance(weights, Unavailable):
        return [log_mel], {Metric.FAD: weights.reason}
    return [embeddings.vggish_embedding(weights, windows), log_mel], {}


def check_required(name: str, settings: ScoreSettings) -> None:
    """Check that a metric named by `--require` can be measured.

    Raises:
      UserError: an unknown metric, or one that is unavailable.
    """
    known = [metric.value for metric in Metric]
    if name not in known:
        raise UserError(f"--require {name}: unknown metric; one of {', '.join(known)}")
    reason = settings.unavailable.get(Metric(name))
    if reason is not None:
        raise UserError(f"--require {name}: {reason}")
