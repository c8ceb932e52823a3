"""Parameter counts and floating-point operations of a StemGen model, from its config."""

import math
from typing import Any

import jax

from stemjax.config.model import StemGenConfig
from stemjax.models import stemgen


def abstract_params(cfg: StemGenConfig) -> Any:
    """Shapes and dtypes of the parameters; nothing is computed."""
    return jax.eval_shape(lambda key: stemgen.init(key, cfg), jax.random.key(0))


def parameter_counts(cfg: StemGenConfig) -> dict[str, int]:
    """Parameters per part: "backbone", "embedding" and "head".

    A joint model also has "context_head" (Assumption A24).
    """
    counts = {"backbone": 0, "embedding": 0, "head": 0}
    for name, tree in abstract_params(cfg).items():
        size = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))
        kind = {
            "backbone": "backbone",
            "heads": "head",
            "context_heads": "context_head",
        }
        kind = kind.get(name, "embedding")
        counts[kind] = counts.get(kind, 0) + size
    return counts


def matmul_parameters(cfg: StemGenConfig) -> int:
    """Matrix parameters used per token in one forward pass: backbone and one head.

    A joint model uses two heads.
    """
    backbone = abstract_params(cfg)["backbone"]
    matrices = sum(
        math.prod(leaf.shape) for leaf in jax.tree.leaves(backbone) if leaf.ndim > 1
    )
    heads = 2 if cfg.joint else 1
    return matrices + heads * cfg.transformer.width * cfg.codebook_size


def flops_per_token(cfg: StemGenConfig, num_frames: int) -> int:
    """Operations per token of one training step: 6 x matmul parameters + 12 L T D."""
    net = cfg.transformer
    return 6 * matmul_parameters(cfg) + 12 * net.layers * num_frames * net.width


def flops_per_step(cfg: StemGenConfig, batch_size: int, num_frames: int) -> int:
    """Operations of one optimiser step on `batch_size` examples of `num_frames` frames."""
    return batch_size * num_frames * flops_per_token(cfg, num_frames)
