"""Small StemGen runs and batches of random codes."""

import dataclasses
import functools

import numpy as np

from stemjax.config.codec import CodecConfig
from stemjax.config.model import StemGenConfig, StemGenObjective, TransformerConfig
from stemjax.config.presets import STEMGEN_TINY

Q, V, T = 2, 8, 10
CODEC = CodecConfig(num_codebooks=Q, codebook_size=V)
MODEL = StemGenConfig(
    num_codebooks=Q,
    codebook_size=V,
    transformer=TransformerConfig(width=32, layers=1, heads=2, mlp_hidden=16),
)


def run_of(model=MODEL, **objective):
    return dataclasses.replace(
        STEMGEN_TINY, model=model, objective=StemGenObjective(**objective)
    )


def batch_of(seed, size=6, *, is_copy=False):
    rng = np.random.default_rng(seed)
    draw = functools.partial(rng.integers, 0, V, (size, Q, T))
    context = draw().astype(np.uint16)
    return {
        "context_codes": context,
        "target_codes": context.copy() if is_copy else draw().astype(np.uint16),
        "instrument": rng.integers(0, 18, size).astype(np.int32),
    }


def evaluation(batch, other=None):
    size = len(batch["instrument"])
    extra = {"is_valid": np.ones(size, bool), "row": np.arange(size, dtype=np.int32)}
    if other is not None:
        extra["other_context_codes"] = other
    return batch | extra


def means(sums):
    return {k: float(a) / float(n) for k, (a, n) in sums.items() if float(n)}
