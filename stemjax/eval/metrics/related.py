"""Metrics of fit to the context: APA, beat alignment, chroma cosine, as JSON values.

Each is higher for stems that fit their own contexts better.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from stemjax.analysis import extract
from stemjax.config.metrics import Metric
from stemjax.eval.metrics import alignment, apa
from stemjax.eval.metrics.alignment import AlignedClips, Alignment
from stemjax.eval.metrics.embeddings import Embedding
from stemjax.eval.metrics.jackknife import estimate_json, finite
from stemjax.eval.populations import clips
from stemjax.eval.populations.clips import Example
from stemjax.eval.populations.progress import StageProgress, advance

EMBEDDINGS = {
    Metric.FAD: "vggish",
    Metric.FD_LOGMEL: "logmel",
    Metric.FD_CODEC: "codec",
}
"""Names of the embeddings in entries of APA."""


def measure(
    examples: Sequence[Example],
    embeddings: Sequence[Embedding],
    group: np.ndarray,
    ids: Sequence[str],
    cache: pathlib.Path,
    *,
    progress: StageProgress = lambda what, done, total: None,
    seed: int,
) -> dict[str, Any]:
    """Entries `apa` (by embedding), `beat_alignment` and `chroma_cosine`.

    `beat_alignment` contains a second entry, `any_level`.

    Args:
      examples: with contexts.
      embeddings: one value of APA for each.
      group: [C] int of `jackknife.assign_groups`.
      ids: of the examples.
      cache: folder of cached analyses.
      progress: called with (stage, clips done, clips in all).
      seed: of the derangements, and of `group`.

    Raises:
      UserError: fewer than two examples, or a clip that is too short to embed.
    """
    of_apa = {}
    for embedding in embeddings:
        name = EMBEDDINGS[embedding.metric]
        details = embedding.details.removeprefix(f"{name};")
        label = f"APA[{name};{details};seed={seed}]"
        total = 3 * len(examples)
        step = advance(progress, f"mixes for APA of {name}", total)
        result = apa.measure(
            examples, embedding, group, ids, cache, progress=step, seed=seed
        )
        of_apa[name] = _apa_entry(label, result)
    analysed = _analyse(examples, cache, progress)
    details = f"music={extract.VERSION}"
    beats, any_level, chroma = (
        alignment.align(analysed, fit, group, ids, seed=seed)
        for fit in (alignment.BEATS, alignment.BEATS_ANY_LEVEL, alignment.CHROMA)
    )
    no_beats = "no context and real stem both have 4 beats"
    no_notes = "no context and real stem have notes at one time"
    return {
        "apa": of_apa,
        "beat_alignment": _alignment_entry(
            f"beat alignment[{details}]", beats, no_beats
        )
        | {
            "any_level": _alignment_entry(
                f"beat alignment at any level[{details}]", any_level, no_beats
            )
        },
        "chroma_cosine": _alignment_entry(
            f"chroma cosine[{details}]", chroma, no_notes
        ),
    }


def _analyse(
    examples: Sequence[Example], cache: pathlib.Path, progress: StageProgress
) -> AlignedClips:
    """Analyse every clip alone, in one pass over the cache."""
    own = [clips.context_role(e, "generated") for e in examples]
    columns = (
        [(e, "context") for e in examples],
        [(e, "real") for e in examples],
        [(e, "generated") for e in examples],
        list(zip(examples, own, strict=True)),
    )
    chosen = [clip for column in columns for clip in column]
    total = len({(e.keys[role], e.seconds) for e, role in chosen})
    step = advance(progress, "beats and chroma", total)
    results = alignment.cached_beats_and_chroma(chosen, cache, progress=step)
    C = len(examples)
    return AlignedClips(*(results[i * C : (i + 1) * C] for i in range(len(columns))))


def _apa_entry(label: str, result: apa.Apa) -> dict[str, Any]:
    distances = {
        "fd": {
            "generated_mispaired": result.generated_mispaired,
            "generated_real": result.generated_real,
            "real_mispaired": result.real_mispaired,
        }
    }
    if result.estimate is None or result.unclipped is None:
        reason = "mixes with other examples' stems do not differ from the real ones"
        return _undefined(label, reason) | distances
    unclipped = {"value": result.unclipped.value, "se": finite(result.unclipped.se)}
    more = {"unclipped": unclipped, "remoteness": result.remoteness}
    return {"id": label} | estimate_json(result.estimate) | distances | more


def _alignment_entry(
    label: str, result: Alignment | None, reason: str
) -> dict[str, Any]:
    if result is None:
        return _undefined(label, reason) | {"counted": 0}
    ratio = None
    if result.ratio is not None:
        ratio = estimate_json(result.ratio)
        del ratio["sizes"], ratio["status"]
    return (
        {"id": label}
        | estimate_json(result.generated)
        | {
            "real": {"value": result.real.value, "se": finite(result.real.se)},
            "ratio": ratio,
            "shuffled": result.shuffled,
            "counted": result.counted,
        }
    )


def _undefined(label: str, reason: str) -> dict[str, Any]:
    return {"id": label, "value": None, "status": "undefined", "reason": reason}
