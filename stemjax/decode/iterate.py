"""Iterative decoding, level by level (StemGen, sec. 2.1.1 and 2.1.2; fig. 5).

The forward pass is batch-first over examples x branches.  Guidance, sampling, ranking
and revealing are written for one example and vmapped inside the scanned step.
The host calls one program per chunk of 16 steps.  The level and the number of steps are
traced, so one compiled program serves all levels and presets of the same batch size,
frame bucket, guidance mode and nucleus filter; it evaluates only the head of its level.
The host dispatches ahead: with `progress` it stays one chunk in front of the device.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays.guidance import branch_patterns, combine_guidance
from stemjax.arrays.masking import finer_mask
from stemjax.arrays.ranking import keep_top, rank_candidates
from stemjax.arrays.sampling import draw_step, sample_codes
from stemjax.config.decode import DecodeConfig
from stemjax.decode.host import (
    CompileClock,
    ProgressCallback,
    StepReporter,
    are_faster_together,
    check_inputs,
)
from stemjax.decode.keep import Kept, whole_frames
from stemjax.decode.network import Network
from stemjax.decode.schedule import reveal_counts
from stemjax.decode.settings import TracedSettings, stack_settings

CHUNK = 16  # steps per call: progress moves every few seconds on two cores
PADDING_ORDER = -1
KEPT_ORDER = 0


class DecodeResult(NamedTuple):
    """Generated tokens of a batch."""

    codes: jax.Array
    """[B, Q, T] int32; 0 in padding."""
    order: jax.Array
    """[B, Q, T] int32: the step within its level, from 1, that revealed a code; 0 if it
    was kept, -1 in padding."""
    compile_seconds: float
    """Wall time of the calls that compiled; 0 if none did."""


class DecodeState(NamedTuple):
    """Arrays that a step updates."""

    codes: jax.Array
    """[B, Q, T] int32; V = MASK where hidden and in padding."""
    order: jax.Array
    """[B, Q, T] int32."""


class Steps(NamedTuple):
    """C steps of one level."""

    number: jax.Array
    """[C] int32, from 1."""
    reveals: jax.Array
    """[C, B] int32, codes to reveal."""
    share: jax.Array
    """[C, B] float32, progress within the level: 0 at the first step, 1 at the last."""


def decode(
    network: Network,
    params: Any,
    configs: DecodeConfig | Sequence[DecodeConfig],
    context_codes: jax.Array,
    conditions: Mapping[str, jax.Array],
    keys: jax.Array,
    lengths: Sequence[int] | np.ndarray | None = None,
    *,
    kept: Kept | None = None,
    branches_together: bool | None = None,
    progress: ProgressCallback | None = None,
) -> DecodeResult:
    """Generate stem codes for a batch of contexts.

    The result of an example depends only on its own rows, not on the rest of the batch.
    If a mesh is set (`jax.set_mesh`), its data axes share the rows when they divide.

    Args:
      network: see `stemjax.decode.network`; static.
      params: parameters of the network.
      configs: settings for all examples, or one per example with equal `steps` and
        `guidance`.
      context_codes: [B, Q, T] int.
      conditions: {name: [B] int or [B, size] float}.
      keys: [B] random keys (`jax.random.key`).
      lengths: [B] frames without padding; default T.
      kept: codes [B, Q, T] that stay, and their mask.
      branches_together: run the guidance branches as one batch (True) or one after
        another (False); the default is the faster one on this backend.
      progress: called on the host.

    Raises:
      ValueError: shapes do not match each other or the network.
    """
    lengths = check_inputs(network, context_codes, conditions, keys, lengths, kept)
    static, settings = stack_settings(
        configs,
        len(context_codes),
        num_codebooks=network.num_codebooks,
        num_sources=network.guides_by_context + len(conditions),
    )
    if branches_together is None:
        branches_together = are_faster_together()
    if kept is None:
        shape = np.shape(context_codes)
        kept = Kept(np.zeros(shape, np.int32), np.zeros(shape, bool))
    clock = CompileClock()
    with clock.running():
        embedded, state, plan = clock.call(
            _start,
            network,
            static,
            params,
            context_codes,
            dict(conditions),
            lengths,
            *kept,
        )
        reporter = StepReporter(progress, sum(static.steps))
        for level, chunks in enumerate(plan):
            for i, steps in enumerate(chunks):
                state = clock.call(
                    _run_chunk,
                    network,
                    static.is_filtered,
                    branches_together,
                    params,
                    embedded,
                    settings,
                    keys,
                    lengths,
                    np.int32(level),
                    steps,
                    state,
                )
                done = min(static.steps[level], (i + 1) * CHUNK)
                reporter.dispatched(state, sum(static.steps[:level]) + done)
        codes, order = clock.call(_finish, state, network.codebook_size)
        reporter.wait()
    return DecodeResult(codes, order, clock.seconds)


def plan_level(num_hidden: jax.Array, steps: int, max_hidden: int) -> tuple[Steps, ...]:
    """Split the steps of a level into chunks of equal length; the last chunk may end in
    idle steps.

    Args:
      num_hidden: [B] codes to reveal, traced.
    """
    reveals = reveal_counts(num_hidden, steps, max_hidden).T  # [S, B]
    reveals = jnp.pad(reveals, ((0, -steps % CHUNK), (0, 0)))
    number = jnp.arange(1, len(reveals) + 1)
    last = jnp.maximum(jnp.minimum(num_hidden, steps) - 1, 1)  # S_eff - 1
    share = jnp.clip((number[:, None] - 1) / last, 0, 1)
    return tuple(
        Steps(number[i : i + CHUNK], reveals[i : i + CHUNK], share[i : i + CHUNK])
        for i in range(0, steps, CHUNK)
    )


@functools.partial(jax.jit, static_argnames=("network", "static"))
def _start(
    network,
    static,
    params,
    context_codes,
    conditions,
    lengths,
    kept_codes,
    is_kept,
):
    """Embed the context of every branch, mask all codes that are not kept, plan the steps.

    Returns:
      Embeddings with leading axes [B, branches], DecodeState, Steps [level][chunk].
    """
    batch, _, num_frames = context_codes.shape
    num_sources = network.guides_by_context + len(conditions)
    patterns = jnp.asarray(branch_patterns(static.guidance, num_sources))
    branches = len(patterns)

    def per_branch(rows):  # example-major, so a sharded batch stays sharded
        return jnp.repeat(rows, branches, axis=0)

    embedded = network.embed(
        params,
        per_branch(context_codes.astype(jnp.int32)),
        jax.tree.map(per_branch, conditions),
        jnp.tile(patterns, (batch, 1)),
        per_branch(lengths),
    )
    embedded = jax.tree.map(
        lambda rows: rows.reshape(batch, branches, *rows.shape[1:]), embedded
    )
    is_music = jnp.arange(num_frames) < lengths[:, None, None]  # [B, 1, T]
    num_hidden = jnp.sum(is_music & ~is_kept, axis=-1)  # [B, Q]
    is_kept = is_kept & is_music
    state = DecodeState(
        codes=jnp.where(is_kept, kept_codes, network.codebook_size).astype(jnp.int32),
        order=jnp.where(is_kept, KEPT_ORDER, PADDING_ORDER).astype(jnp.int32),
    )
    plan = tuple(
        plan_level(num_hidden[:, level], steps, num_frames)
        for level, steps in enumerate(static.steps)
    )
    return embedded, state, plan


@functools.partial(
    jax.jit, static_argnames=("network", "is_filtered", "branches_together")
)
def _run_chunk(
    network,
    is_filtered,
    branches_together,
    params,
    embedded,
    settings,
    keys,
    lengths,
    level,
    steps,
    state,
):
    """Scan over one chunk of steps of one level."""
    params = network.prepare(params)

    def one_step(state, step):
        def run(state):
            logits = _branch_logits(
                network, params, embedded, state, level, branches_together
            )
            reveal = functools.partial(
                reveal_one, level, step.number, network.codebook_size, is_filtered
            )
            codes, order = jax.vmap(reveal)(
                logits,
                state.codes[:, level],
                state.order[:, level],
                settings,
                lengths,
                keys,
                step.reveals,
                step.share,
            )
            return DecodeState(
                state.codes.at[:, level].set(codes), state.order.at[:, level].set(order)
            )

        # once a level is complete for the whole batch, skip the forward pass
        return jax.lax.cond(jnp.any(step.reveals > 0), run, lambda s: s, state), None

    return jax.lax.scan(one_step, state, steps)[0]


def _branch_logits(network, params, embedded, state, level, branches_together):
    """Logits [B, branches, T, V] of one level.

    Finer levels are masked even where their codes are kept, as in training (sec. 2.1),
    but for the prefix of a model that learned with one (Assumption A3)."""
    prefix = whole_frames(state.order == KEPT_ORDER) if network.keeps_prefix else 0
    is_finer = finer_mask(level, *state.codes.shape[1:], prefix)
    codes = jnp.where(is_finer, network.codebook_size, state.codes)
    batch, branches = jax.tree.leaves(embedded)[0].shape[:2]
    if branches_together:
        rows = jax.tree.map(
            lambda x: x.reshape(batch * branches, *x.shape[2:]), embedded
        )
        repeated = jnp.repeat(codes, branches, axis=0)
        logits = network.logits(params, rows, repeated, level)
        return logits.reshape(batch, branches, *logits.shape[1:])
    logits = jax.lax.map(
        lambda rows: network.logits(params, rows, codes, level),
        jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0), embedded),
    )
    return jnp.moveaxis(logits, 0, 1)


def reveal_one(
    level: jax.Array,
    number: jax.Array,
    mask_code: int,
    is_filtered: bool,
    logits: jax.Array,
    codes: jax.Array,
    order: jax.Array,
    settings: TracedSettings,
    length: jax.Array,
    key: jax.Array,
    count: jax.Array,
    share: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """One step of one example and level: sample, rank, reveal the best `count` codes.

    Revealed codes are never masked again (Assumption A14).

    Args:
      logits: [branches, T, V].
      codes, order: [T].
      settings: one row.

    Returns:
      codes, order: [T].
    """
    _, num_frames, num_codes = logits.shape
    draws = draw_step(key, level, number, num_frames, num_codes)
    proposed, confidence = sample_codes(
        draws.gumbel,
        combine_guidance(logits, settings.scales),
        _between(settings.temperature, settings.temperature_final, share),
        settings.top_p if is_filtered else None,
    )
    scores = rank_candidates(
        confidence,
        draws.noise,
        w_conf=settings.w_conf,
        w_causal=settings.w_causal,
        w_rand=settings.w_rand * _between(1.0, settings.w_rand_final, share),
        length=length,
    )
    is_candidate = (codes == mask_code) & (jnp.arange(num_frames) < length)
    is_revealed = keep_top(jnp.where(is_candidate, scores, -jnp.inf), count)
    codes = jnp.where(is_revealed, proposed, codes)
    return codes, jnp.where(is_revealed, number, order)


def _between(first, last, share):
    """Interpolate linearly from the first step of a level to the last."""
    return first + (last - first) * share


@functools.partial(jax.jit, static_argnames="mask_code")
def _finish(state: DecodeState, mask_code: int):
    """Replace MASK by 0 in padding."""
    return jnp.where(state.codes == mask_code, 0, state.codes), state.order
