"""StemGen as a task: masked code modelling given a context (StemGen, sec. 2.1 and 3).

Each example draws a level, a mask ratio and the guidance sources to drop; the loss is the
cross-entropy of the masked tokens at the drawn level (Assumptions A1-A4).  Metrics number
levels as in the paper: level_1 is the coarsest.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays.masking import draw_levels, mask_ratio
from stemjax.codec import functional as codec
from stemjax.config.codec import CodecConfig
from stemjax.config.model import ConditionKind, StemGenConfig
from stemjax.config.presets import fit_to_codec
from stemjax.config.runs import StemGenRun
from stemjax.config.validation import BEST_METRIC
from stemjax.models import stemgen
from stemjax.tasks.code_sums import (
    DROP_PATTERNS,
    RATIO_BUCKETS,
    bucket,
    codes_in_use,
    grouped,
    pattern,
    total,
)
from stemjax.tasks.masked_codes import draw_masks, fixed_masks, masked_terms
from stemjax.tasks.task import LossOut, Sums, Task


def make(
    run: StemGenRun, codec_config: CodecConfig, *, batches_are_tokens: bool
) -> Task:
    """The task of one run.

    Args:
      codec_config: of the codec whose variables are passed as `frozen`.
      batches_are_tokens: batches hold `context_codes`, `target_codes` [B, Q, T] uint16;
        else `context`, `target` [B, N] int16, encoded on the device by `frozen`.

    Raises:
      ValueError: the model's shape does not fit the codec.
    """
    cfg = run.model
    if cfg != (fitted := fit_to_codec(cfg, codec_config)):
        raise ValueError(
            f"model of {cfg.num_codebooks} x {cfg.codebook_size} codes at"
            f" {cfg.frame_rate:g} Hz, codec of {fitted.num_codebooks} x"
            f" {fitted.codebook_size} at {fitted.frame_rate:g} Hz:"
            " use presets.fit_to_codec"
        )

    def codes_of(frozen, batch: Mapping, *names: str) -> list[jax.Array]:
        """Codes [B, Q, T] int32 of the streams named; one pass of the codec."""
        if batches_are_tokens:
            return [batch[f"{name}_codes"].astype(jnp.int32) for name in names]
        # the streams of an example are neighbours: no row moves to another device
        audio = jnp.stack([batch[name] for name in names], axis=1)
        B, S, N = audio.shape
        audio = audio.reshape(B * S, N).astype(jnp.float32) / 32768
        codes = jax.lax.stop_gradient(codec.encode(frozen, codec_config, audio))
        codes = codes.reshape(B, S, *codes.shape[1:])
        return [codes[:, i] for i in range(S)]

    def init(key):
        return stemgen.init(key, cfg, boxed=True), {}

    def loss(params, model_state, frozen, batch, key):
        context, target = codes_of(frozen, batch, "context", "target")
        return _loss(params, run, context, target, conditions_of(cfg, batch), key)

    def eval_sums(params, model_state, frozen, batch, key):
        names = ["context", "target"]
        other = "other_context_codes" if batches_are_tokens else "other_context"
        if other in batch:
            names.append("other_context")
        codes = dict(zip(names, codes_of(frozen, batch, *names), strict=True))
        return _eval_sums(params, cfg, codes, conditions_of(cfg, batch), batch)

    return Task(
        name="stemgen",
        init=init,
        loss=loss,
        eval_sums=eval_sums,
        dummy_batch=functools.partial(
            _dummy_batch, run, codec_config, batches_are_tokens
        ),
        higher_is_better=BEST_METRIC["stemgen"],
    )


def conditions_of(cfg: StemGenConfig, batch: Mapping) -> dict[str, jax.Array]:
    """Entries of the batch that condition the model."""
    return {c.name: jnp.asarray(batch[c.name]) for c in cfg.conditions}


def _loss(params, run: StemGenRun, context, target, conditions, key):
    """Loss of one batch of codes [B, Q, T], and its metrics."""
    cfg, objective = run.model, run.objective
    B, Q, T = target.shape
    k_level, k_ratio, k_mask, k_drop, k_context = jax.random.split(key, 5)
    level = draw_levels(k_level, B, Q, objective.level_decay)
    ratio = jax.vmap(mask_ratio)(jax.random.split(k_ratio, B))
    draw = functools.partial(
        draw_masks, cfg=cfg, num_frames=T, keep_prefix=objective.keep_prefix
    )
    is_masked = draw(jax.random.split(k_mask, B), level, ratio)
    is_hidden = None
    if cfg.joint:
        # Assumption A24: one level and ratio for both streams, independent masks
        is_hidden = draw(jax.random.split(k_context, B), level, ratio)
    # Assumption A16: every source is dropped independently
    rates = [objective.context_dropout] + [objective.condition_dropout] * len(
        cfg.conditions
    )
    is_dropped = jax.random.uniform(k_drop, (B, len(rates))) < jnp.array(rates)
    terms, context_terms = masked_terms(
        params,
        cfg,
        context,
        target,
        conditions,
        level,
        is_masked,
        is_dropped=is_dropped,
        is_hidden=is_hidden,
    )
    sums = {"accuracy": total(terms, "correct")}
    sums |= grouped(terms, "level", level, range(1, Q + 1))
    sums |= grouped(terms, "ratio", bucket(ratio), range(1, RATIO_BUCKETS + 1))
    sums |= grouped(terms, "drop", pattern(is_dropped), DROP_PATTERNS)
    nats, count = total(terms, "loss")
    if cfg.joint:
        sums["loss/target"] = (nats, count)
        sums["loss/context"] = more, more_count = total(context_terms, "loss")
        nats, count = nats + more, count + more_count
    return nats / count, LossOut(sums=sums, stats=())


def _eval_sums(params, cfg: StemGenConfig, codes, conditions, batch) -> Sums:
    """Loss and accuracy under masks that the row fixes, Q + 4 forward passes.

    Every row runs at every level with its context.  At level (row mod Q) it also runs
    under the three patterns of dropped sources and with the context of another song.
    The passes run in a loop, so that one pass is compiled.  A joint model hears a given
    context there; Q more passes mask both streams, as its training does.
    """
    target, row, is_valid = codes["target"], batch["row"], batch["is_valid"]
    B, Q, T = target.shape
    sources = jnp.zeros((B, cfg.num_sources), bool)
    patterns = [
        sources.at[:, 0]
        .set(name in ("context", "both"))
        .at[:, 1:]
        .set(name in ("condition", "both"))
        for name in DROP_PATTERNS[1:]
    ]
    row_level = row % Q
    levels = [jnp.full(B, q) for q in range(Q)] + [row_level] * len(patterns)
    dropped = [sources] * Q + patterns
    is_other = [False] * len(levels)
    if has_other := "other_context" in codes:
        levels, dropped = [*levels, row_level], [*dropped, sources]
        is_other.append(True)

    def forward(case):
        level, is_dropped, is_other = case
        context = codes["context"]
        if has_other:
            context = jnp.where(is_other, codes["other_context"], context)
        ratio, is_masked = fixed_masks(row, level, cfg, T)
        terms, _ = masked_terms(
            params,
            cfg,
            context,
            target,
            conditions,
            level,
            is_masked,
            is_dropped=is_dropped,
        )
        return ratio, only_valid(terms)

    def only_valid(terms):
        return {kind: jnp.where(is_valid, x, 0.0) for kind, x in terms.items()}

    cases = (jnp.stack(levels), jnp.stack(dropped), jnp.array(is_other))
    ratio, terms = jax.lax.map(forward, cases)  # [cases, B]

    every = {kind: x[:Q].reshape(-1) for kind, x in terms.items()}
    level = jnp.repeat(jnp.arange(Q), B)
    sums = {"loss": total(every, "loss"), "accuracy": total(every, "correct")}
    sums |= grouped(every, "level", level, range(1, Q + 1))
    names = range(1, RATIO_BUCKETS + 1)
    sums |= grouped(every, "ratio", bucket(ratio[:Q].reshape(-1)), names)
    undropped = {kind: x[row_level, jnp.arange(B)] for kind, x in terms.items()}
    parts = [undropped] + [{k: x[Q + i] for k, x in terms.items()} for i in range(3)]
    for name, part in zip(DROP_PATTERNS, parts, strict=True):
        sums[f"loss/drop_{name}"] = total(part, "loss")
        sums[f"accuracy/drop_{name}"] = total(part, "correct")
    if has_other:
        gain = {
            "loss": terms["loss"][-1] - undropped["loss"],
            "count": undropped["count"],
        }
        kinds = {"context_gain": "loss"}
        sums["context_gain"] = total(gain, "loss")
        sums |= grouped(gain, "level", row_level, range(1, Q + 1), kinds)
    if cfg.joint:

        def forward_joint(q):
            level = jnp.full(B, q)
            ratio, is_masked = fixed_masks(row, level, cfg, T)
            _, is_hidden = fixed_masks(row, level, cfg, T, ratio, of_context=True)
            both = masked_terms(
                params,
                cfg,
                codes["context"],
                target,
                conditions,
                level,
                is_masked,
                is_hidden=is_hidden,
            )
            return tuple(map(only_valid, both))

        both = jax.lax.map(forward_joint, jnp.arange(Q))
        for name, terms in zip(("target", "context"), both, strict=True):
            sums[f"loss/{name}"] = total(terms, "loss")
    for q in range(Q):
        used = codes_in_use(target[:, q], is_valid, cfg.codebook_size)
        sums[f"codes_in_use/level_{q + 1}"] = used
    return sums


def _dummy_batch(
    run: StemGenRun,
    codec_config: CodecConfig,
    batches_are_tokens: bool,
    batch_size: int,
) -> dict[str, Any]:
    samples = round(run.pairs.crop_seconds * codec_config.sample_rate)
    if batches_are_tokens:
        shape = (batch_size, codec_config.num_codebooks, codec_config.frames(samples))
        names, dtype = ("context_codes", "target_codes"), np.uint16
    else:
        shape, names, dtype = (batch_size, samples), ("context", "target"), np.int16
    batch = {name: np.zeros(shape, dtype) for name in names}
    for c in run.model.conditions:
        if c.kind is ConditionKind.CATEGORICAL:
            batch[c.name] = np.zeros(batch_size, np.int32)
        else:
            batch[c.name] = np.zeros((batch_size, c.size), np.float32)
    return batch
