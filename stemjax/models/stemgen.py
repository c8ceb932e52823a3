"""StemGen: masked model of a stem's codes given a context (StemGen, sec. 2.1, fig. 2, 3).

There are two streams of codes, context mix and target stem.  Each stream is the sum over
levels of code embeddings, plus the sum of the conditions' embeddings.  A bidirectional
transformer reads both streams, concatenated along the width; one head per level predicts
the target's codes.

Linen stays inside this file.  Callers hold `params`, a plain tree of dicts, and call
the functions below.  Decoding embeds context and conditions once (`embed_context`,
`embed_conditions`) and calls `apply_level` in its loop.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.core import meta

from stemjax.arrays.masking import finer_mask
from stemjax.config.model import Condition, ConditionKind, StemGenConfig
from stemjax.nn.axes import (
    ACT_EMBED,
    BATCH,
    CODES,
    EMBED,
    LEVELS,
    TIME,
    VOCAB,
    compute_dtype,
    constrain,
)
from stemjax.nn.transformer import Transformer, product

HEAD_STDDEV = 0.02  # nearly uniform predictions at first: the first loss is ln V


class CodeEmbedding(nn.Module):
    """Sum of code embeddings over levels: [B, Q, T] int32 -> [B, T, D/2] float32.

    Row V of every level means "unknown": MASK in a stream that is generated, null in a
    context that is dropped (Assumptions A5, A16).
    """

    cfg: StemGenConfig

    @nn.compact
    def __call__(self, codes):
        cfg = self.cfg
        shape = (cfg.num_codebooks, cfg.codebook_size + 1, cfg.transformer.width // 2)
        # The stream, a sum of Q rows and the conditions, starts with variance one.
        init = nn.initializers.normal((cfg.num_codebooks + 1) ** -0.5)
        init = nn.with_logical_partitioning(init, (LEVELS, CODES, EMBED))
        tables = self.param("embedding", init, shape, jnp.float32)
        stream = sum(tables[q][codes[:, q]] for q in range(cfg.num_codebooks))
        return constrain(stream, (BATCH, TIME, ACT_EMBED))


class ConditionEmbedding(nn.Module):
    """Embedding of one condition, [B] int32 or [B, size] float32 -> [B, D/2] float32.

    An index outside [0, size) is the null of a categorical condition; `is_null` [B]
    bool makes either kind null.
    """

    condition: Condition
    cfg: StemGenConfig

    @nn.compact
    def __call__(self, value, is_null):
        size, half = self.condition.size, self.cfg.transformer.width // 2
        normal = nn.initializers.normal((self.cfg.num_codebooks + 1) ** -0.5)
        match self.condition.kind:
            case ConditionKind.CATEGORICAL:
                init = nn.with_logical_partitioning(normal, (CODES, EMBED))
                table = self.param("embedding", init, (size + 1, half), jnp.float32)
                is_null = is_null | (value < 0) | (value >= size)
                return table[jnp.where(is_null, size, value)]
            case ConditionKind.VECTOR:
                lecun = nn.initializers.lecun_normal()
                init = nn.with_logical_partitioning(lecun, (None, EMBED))
                kernel = self.param("embedding", init, (size, half), jnp.float32)
                init = nn.with_logical_partitioning(normal, (EMBED,))
                null = self.param("null", init, (half,), jnp.float32)
                return jnp.where(is_null[:, None], null, value @ kernel)


class Heads(nn.Module):
    """One linear map D -> V per level; only the requested levels are computed."""

    cfg: StemGenConfig
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, x, level):  # [B, T, D], [] or [B] int32 -> [B, T, V] float32
        cfg = self.cfg
        shape = (cfg.num_codebooks, cfg.transformer.width, cfg.codebook_size)
        init = nn.initializers.normal(HEAD_STDDEV)
        init = nn.with_logical_partitioning(init, (LEVELS, EMBED, VOCAB))
        kernels = self.param("kernel", init, shape, jnp.float32).astype(self.dtype)
        if jnp.ndim(level) == 0:  # may be traced: decoding compiles once for all levels
            logits = product("btd,dv->btv", x, kernels[level], self.dtype)
        else:
            # One kernel per example, selected by a product with one-hot rows: its
            # gradient is a product too, not a scatter.
            is_level = jax.nn.one_hot(level, cfg.num_codebooks, dtype=self.dtype)
            selected = jnp.einsum("bq,qdv->bdv", is_level, kernels)
            selected = constrain(selected, (BATCH, None, VOCAB))
            logits = product("btd,bdv->btv", x, selected, self.dtype)
        logits = constrain(logits, (BATCH, TIME, VOCAB))
        return logits.astype(jnp.float32)  # softmax and loss are float32


class StemGen(nn.Module):
    """The network; the functions below document the arguments of its methods."""

    cfg: StemGenConfig
    dtype: jnp.dtype

    def setup(self):
        cfg = self.cfg
        self.target_embed = CodeEmbedding(cfg)
        if not cfg.shared_embeddings:
            self.context_embed = CodeEmbedding(cfg)
        self.condition_embed = [
            ConditionEmbedding(c, cfg, name=f"condition_embed_{c.name}")
            for c in cfg.conditions
        ]
        self.backbone = Transformer(cfg.transformer, self.dtype)
        self.heads = Heads(cfg, self.dtype)
        if cfg.joint:
            self.context_heads = Heads(cfg, self.dtype)

    def embed_context(self, codes, is_dropped):
        embed = self.target_embed if self.cfg.shared_embeddings else self.context_embed
        null = self.cfg.codebook_size
        return embed(jnp.where(is_dropped[:, None, None], null, codes))

    def embed_conditions(self, conditions, is_dropped):
        parts = [
            embed(conditions[c.name], is_dropped[:, i])
            for i, (c, embed) in enumerate(
                zip(self.cfg.conditions, self.condition_embed, strict=True)
            )
        ]
        if not parts:
            return jnp.zeros((is_dropped.shape[0], self.cfg.transformer.width // 2))
        return sum(parts)

    def hidden(self, context, target_codes, condition, lengths):
        target = self.target_embed(target_codes)
        # Both streams get the same vector (fig. 3; Assumption A7).
        both = jnp.concatenate([context, target], axis=-1)
        both = both + jnp.concatenate([condition, condition], axis=-1)[:, None]
        return self.backbone(both, lengths)

    def level_logits(self, context, target_codes, condition, lengths, level):
        return self.heads(self.hidden(context, target_codes, condition, lengths), level)

    def joint_logits(self, context, target_codes, condition, lengths, level):
        x = self.hidden(context, target_codes, condition, lengths)
        return self.heads(x, level), self.context_heads(x, level)

    def __call__(self, context_codes, target_codes, conditions, is_dropped, level):
        """Use every parameter; for `init`."""
        context = self.embed_context(context_codes, is_dropped[:, 0])
        condition = self.embed_conditions(conditions, is_dropped[:, 1:])
        args = (context, target_codes, condition, None, level)
        return self.joint_logits(*args) if self.cfg.joint else self.level_logits(*args)


def init(key: jax.Array, cfg: StemGenConfig, *, boxed: bool = False) -> Any:
    """Random float32 parameters: a tree of dicts of arrays.

    boxed: keep each array boxed with its logical axis names, which the trainer shards by.
    """
    codes = jnp.zeros((1, cfg.num_codebooks, 1), jnp.int32)
    conditions = {
        c.name: jnp.zeros((1,), jnp.int32)
        if c.kind is ConditionKind.CATEGORICAL
        else jnp.zeros((1, c.size))
        for c in cfg.conditions
    }
    is_dropped = jnp.zeros((1, cfg.num_sources), bool)
    variables = StemGen(cfg, jnp.dtype(jnp.float32)).init(
        key, codes, codes, conditions, is_dropped, 0
    )
    params = variables["params"]
    return params if boxed else meta.unbox(params)


def cast_kernels(
    params: Any, cfg: StemGenConfig, dtype: jnp.dtype | None = None
) -> Any:
    """Parameters with the kernels of matrix products cast to `dtype`.

    A loop of forward passes then need not cast them at every pass; the results stay.

    dtype: as in `apply_level`.
    """
    dtype = compute_dtype(cfg.transformer.precision) if dtype is None else dtype

    def cast(name, tree):
        if name not in ("backbone", "heads", "context_heads"):
            return tree  # embeddings are summed in float32
        return jax.tree.map(lambda x: x.astype(dtype) if x.ndim > 1 else x, tree)

    return {name: cast(name, tree) for name, tree in params.items()}


def shown_context(
    cfg: StemGenConfig,
    codes: jax.Array,
    level: int | jax.Array,
    is_masked: jax.Array | None = None,
) -> jax.Array:
    """The context's codes as a forward pass at one level sees them: [B, Q, T] int32.

    Training, evaluation and decoding all ask this function.  A conditional model sees
    the whole context.  A joint model learns with the finer levels of both streams
    masked, so it sees no finer level of a given context either (Assumption A24).

    Args:
      cfg: the model's config.
      codes: [B, Q, T] int32.
      level: [] or [B] int32.
      is_masked: [B, Q, T] bool, the masked tokens of a context that is generated too;
        None: the context is given.  Conditional models have none.
    """
    if not cfg.joint:
        return codes
    if is_masked is None:
        is_masked = finer_mask(level, *codes.shape[1:])
    return jnp.where(is_masked, cfg.codebook_size, codes)


def embed_context(
    params: Any, cfg: StemGenConfig, codes: jax.Array, is_dropped=None
) -> jax.Array:
    """The context's half of the input: [B, Q, T] int32 -> [B, T, D/2] float32.

    is_dropped: [B] bool, True replaces the context by the learned null; None: all False.
    """
    if is_dropped is None:
        is_dropped = jnp.zeros(codes.shape[0], bool)
    return _apply(params, cfg, None, StemGen.embed_context, codes, is_dropped)


def embed_conditions(
    params: Any,
    cfg: StemGenConfig,
    conditions: Mapping[str, jax.Array],
    is_dropped=None,
) -> jax.Array:
    """Sum of the conditions' embeddings: [B, D/2] float32.

    Args:
      params: from `init`.
      cfg: the model's config.
      conditions: name -> [B] int32 (categorical; outside [0, size) is null) or
        [B, size] float32 (vector), one entry per row of `cfg.conditions`.
      is_dropped: [B, S-1] bool in the order of `cfg.conditions`, True is null; None:
        all False.

    Raises:
      ValueError: the names are not those of `cfg.conditions`.
    """
    names = [c.name for c in cfg.conditions]
    if sorted(names) != sorted(conditions):
        raise ValueError(f"conditions are {sorted(conditions)}, the model has {names}")
    if is_dropped is None:
        batch = conditions[names[0]].shape[0] if names else 1
        is_dropped = jnp.zeros((batch, len(names)), bool)
    conditions = {name: jnp.asarray(conditions[name]) for name in names}
    return _apply(params, cfg, None, StemGen.embed_conditions, conditions, is_dropped)


def apply_level(
    params: Any,
    cfg: StemGenConfig,
    *,
    context: jax.Array,
    target_codes: jax.Array,
    condition: jax.Array,
    level: int | jax.Array,
    lengths: jax.Array | None = None,
    dtype: jnp.dtype | None = None,
) -> jax.Array:
    """Logits of the target's codes at one level: [B, T, V] float32.

    Args:
      params: from `init`.
      cfg: the model's config.
      context: [B, T, D/2] from `embed_context`.
      target_codes: [B, Q, T] int32; V (= `cfg.codebook_size`) is MASK.
      condition: [B, D/2] from `embed_conditions`.
      level: [] int32 (decoding; may be traced), or [B] int32, one level per example
        (training).  Only the heads of these levels are computed.
      lengths: [B] int32, the true frames of each example; None: T.
      dtype: of matrix products; None: the config's precision on this backend.
    """
    args = (context, target_codes, condition, lengths, level)
    return _apply(params, cfg, dtype, StemGen.level_logits, *args)


def apply_joint(
    params: Any,
    cfg: StemGenConfig,
    *,
    context: jax.Array,
    target_codes: jax.Array,
    condition: jax.Array,
    level: int | jax.Array,
    lengths: jax.Array | None = None,
    dtype: jnp.dtype | None = None,
) -> tuple[jax.Array, jax.Array]:
    """`apply_level` of a joint model: logits of target and context (Assumption A24)."""
    args = (context, target_codes, condition, lengths, level)
    return _apply(params, cfg, dtype, StemGen.joint_logits, *args)


def _apply(params, cfg, dtype, method, *args):
    dtype = compute_dtype(cfg.transformer.precision) if dtype is None else dtype
    model = StemGen(cfg, jnp.dtype(dtype))
    return model.apply({"params": params}, *args, method=method)
