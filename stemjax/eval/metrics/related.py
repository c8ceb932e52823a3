"""Metrics of fit beside FAD and MIRDD: APA, beat alignment, chroma cosine.

Each is higher for stems that fit their own contexts better.  As JSON values: no NaN.
"""

import math
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from stemjax.analysis import extract
from stemjax.config.metrics import Metric
from stemjax.eval.metrics import alignment, apa
from stemjax.eval.metrics.alignment import Alignment, Population
from stemjax.eval.metrics.embeddings import Embedding
from stemjax.eval.metrics.jackknife import Estimate
from stemjax.eval.populations import clips
from stemjax.eval.populations.clips import Example
from stemjax.eval.populations.progress import Progress, advance

EMBEDDINGS = {
    Metric.FAD: "vggish",
    Metric.FD_LOGMEL: "logmel",
    Metric.FD_CODEC: "codec",
}
"""What APA calls an embedding: it is no FAD."""


def measure(
    examples: Sequence[Example],
    embeddings: Sequence[Embedding],
    group: np.ndarray,
    ids: Sequence[str],
    cache: pathlib.Path,
    *,
    progress: Progress = lambda what, done, total: None,
    seed: int,
) -> dict[str, Any]:
    """`apa` by embedding, `beat_alignment` and `chroma_cosine` of examples with contexts.

    `beat_alignment` holds that at `any_level` as an entry of its own.

    group: [C] int of `jackknife.assign_groups`.
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
        found = apa.measure(
            examples, embedding, group, ids, cache, progress=step, seed=seed
        )
        of_apa[name] = _apa_entry(label, found)
    heard = _listen(examples, cache, progress)
    details = f"music={extract.VERSION}"
    beats, any_level, chroma = (
        alignment.align(heard, fit, group, ids, seed=seed)
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


def _listen(
    examples: Sequence[Example], cache: pathlib.Path, progress: Progress
) -> Population:
    """Every clip alone, all of them in one pass over the cache."""
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
    heard = alignment.listen(chosen, cache, progress=step)
    C = len(examples)
    return Population(*(heard[i * C : (i + 1) * C] for i in range(len(columns))))


def _apa_entry(label: str, found: apa.Apa) -> dict[str, Any]:
    distances = {
        "fd": {
            "generated_mispaired": found.generated_mispaired,
            "generated_real": found.generated_real,
            "real_mispaired": found.real_mispaired,
        }
    }
    if found.estimate is None or found.unclipped is None:
        reason = "mixes with other examples' stems do not differ from the real ones"
        return _undefined(label, reason) | distances
    unclipped = {"value": found.unclipped.value, "se": finite(found.unclipped.se)}
    more = {"unclipped": unclipped, "remoteness": found.remoteness}
    return _entry(label, found.estimate) | distances | more


def _alignment_entry(
    label: str, found: Alignment | None, reason: str
) -> dict[str, Any]:
    if found is None:
        return _undefined(label, reason) | {"counted": 0}
    ratio = None
    if found.ratio is not None:
        ratio = {
            "value": found.ratio.value,
            "se": finite(found.ratio.se),
            "corrected": finite(found.ratio.corrected),
            "groups": [finite(g) for g in found.ratio.groups],
        }
    return _entry(label, found.generated) | {
        "real": {"value": found.real.value, "se": finite(found.real.se)},
        "ratio": ratio,
        "shuffled": found.shuffled,
        "counted": found.counted,
    }


def _entry(label: str, estimate: Estimate) -> dict[str, Any]:
    return {
        "id": label,
        "value": estimate.value,
        "se": finite(estimate.se),
        "corrected": finite(estimate.corrected),
        "groups": [finite(g) for g in estimate.groups],
        "sizes": [int(s) for s in estimate.sizes],
        "status": "ok",
    }


def _undefined(label: str, reason: str) -> dict[str, Any]:
    return {"id": label, "value": None, "status": "undefined", "reason": reason}


def finite(value: float) -> float | None:
    """A value as JSON can hold it."""
    return float(value) if math.isfinite(value) else None
