"""Iterative decoding, level by level (StemGen, sec. 2.1.1 and 2.1.2; fig. 5).

The forward is batch-first over examples x branches; guidance, sampling, ranking and
revealing are written for one example and mapped around it inside the scanned step.
The host calls one program per chunk of 16 steps.  The level and the number of steps are
traced, so one compiled program (of a batch size, frame bucket, guidance and nucleus
filter) serves all levels and presets; it still evaluates the head of its level alone.
The host never waits inside a level: with `progress` it stays one chunk ahead.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays.guidance import branch_patterns, combine_guidance
from stemjax.arrays.ranking import keep_top, rank_candidates
from stemjax.arrays.sampling import draw_step, sample_codes
from stemjax.config.decode import DecodeConfig
from stemjax.config.model import StemGenConfig
from stemjax.decode.host import CompileClock, Progress, check_inputs
from stemjax.decode.network import Network, StemGenNetwork
from stemjax.decode.schedule import reveal_counts
from stemjax.decode.settings import Settings, stack_settings
from stemjax.nn.axes import target_platform

CHUNK = 16  # steps per call: progress moves every few seconds on two cores
PADDING_ORDER = -1
GIVEN_ORDER = 0


class DecodeResult(NamedTuple):
    """Decoded tokens."""

    codes: jax.Array  # [B, Q, T] int32; 0 in padding
    order: jax.Array  # [B, Q, T] int32, step of its level, from 1, that revealed a
    # code; 0 where it was given, -1 in padding
    compile_seconds: float  # wall time of the calls that compiled; 0 when all is warm


class State(NamedTuple):
    """What a step changes."""

    codes: jax.Array  # [B, Q, T] int32, V = MASK where hidden (padding stays MASK)
    order: jax.Array  # [B, Q, T] int32


class Steps(NamedTuple):
    """What differs between the steps of a level, C of them."""

    number: jax.Array  # [C] int32, from 1
    reveals: jax.Array  # [C, B] int32, codes to reveal
    share: jax.Array  # [C, B] float32, 0 at an example's first step, 1 at its last


def decode(
    params: Any,
    cfg: StemGenConfig,
    configs: DecodeConfig | Sequence[DecodeConfig],
    context_codes: jax.Array,
    conditions: Mapping[str, jax.Array],
    keys: jax.Array,
    lengths: Sequence[int] | np.ndarray | None = None,
    **options: Any,
) -> DecodeResult:
    """Generate stems' codes with a StemGen model: `decode_with` its network.

    params: of `stemjax.models.stemgen`.  The rest, and `options`: see `decode_with`.
    """
    network = StemGenNetwork(cfg)
    return decode_with(
        network, params, configs, context_codes, conditions, keys, lengths, **options
    )


def decode_with(
    network: Network,
    params: Any,
    configs: DecodeConfig | Sequence[DecodeConfig],
    context_codes: jax.Array,
    conditions: Mapping[str, jax.Array],
    keys: jax.Array,
    lengths: Sequence[int] | np.ndarray | None = None,
    *,
    given_codes: jax.Array | None = None,
    is_given: jax.Array | None = None,
    branches_together: bool | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> DecodeResult:
    """Generate the target's codes for a batch of contexts.

    What an example gets depends on its own rows alone, not on the batch around it.
    With a mesh in use (`jax.set_mesh`) its data axes share the rows that divide over them.

    Args:
      network: see `stemjax.decode.network`; static.
      params: of the network.
      configs: settings for all, or one per example with equal `steps` and `guidance`.
      context_codes: [B, Q, T] int.
      conditions: {name: [B] int or [B, size] float}.
      keys: [B] random keys (`jax.random.key`).
      lengths: [B] frames of each that are music; the rest is padding.  Default: T.
      given_codes, is_given: [B, Q, T] codes to keep as they are, and where.
      branches_together: run the branches of guidance as one batch or one after
        another; the default is what was measured to be faster on this backend.
      progress: called on the host with (steps done, steps in all).

    Raises:
      ValueError: shapes that do not fit each other or the network.
    """
    lengths = check_inputs(
        network, context_codes, conditions, keys, lengths, given_codes, is_given
    )
    static, settings = stack_settings(
        configs,
        len(context_codes),
        num_codebooks=network.num_codebooks,
        num_sources=1 + len(conditions),
    )
    if branches_together is None:
        branches_together = are_faster_together()
    if is_given is None:
        given_codes = np.zeros(context_codes.shape, np.int32)
        is_given = np.zeros(context_codes.shape, bool)
    clock = CompileClock()
    with clock.listening():
        embedded, state, plan = clock.call(
            _start,
            network,
            static,
            params,
            context_codes,
            dict(conditions),
            lengths,
            given_codes,
            is_given,
        )
        bar = Progress(progress, sum(static.steps))
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
                bar.dispatched(state, sum(static.steps[:level]) + done)
        codes, order = clock.call(_finish, state, network.codebook_size)
        bar.wait()
    return DecodeResult(codes, order, clock.seconds)


def are_faster_together() -> bool:
    """Whether branches of guidance as one batch beat one after another on what is
    compiled for (docs/performance.md)."""
    return target_platform() != "cpu"


def plan_level(num_hidden: jax.Array, steps: int, max_hidden: int) -> tuple[Steps, ...]:
    """The steps of a level in chunks of one length; the last may end in idle steps.

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
    given_codes,
    is_given,
):
    """Embed every branch's context once; hide all that is not given; plan the steps.

    Returns embedded with leading axes [B, branches], State, [level][chunk] of Steps.
    """
    batch, _, num_frames = context_codes.shape
    patterns = jnp.asarray(branch_patterns(static.guidance, 1 + len(conditions)))
    branches = len(patterns)

    def per_branch(rows):  # example-major: a batch sharded over devices stays so
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
    is_kept = is_given & is_music
    state = State(
        codes=jnp.where(is_kept, given_codes, network.codebook_size).astype(jnp.int32),
        order=jnp.where(is_kept, GIVEN_ORDER, PADDING_ORDER).astype(jnp.int32),
    )
    num_hidden = jnp.sum(is_music & ~is_given, axis=-1)  # [B, Q]
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
    """Scan over some steps of one level."""
    params = network.prepare(params)

    def one_step(state, step):
        def run(state):
            logits = _branch_logits(
                network, params, embedded, state.codes, level, branches_together
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
            return State(
                state.codes.at[:, level].set(codes), state.order.at[:, level].set(order)
            )

        # A level that is finished for the whole batch costs no forward.
        return jax.lax.cond(jnp.any(step.reveals > 0), run, lambda s: s, state), None

    return jax.lax.scan(one_step, state, steps)[0]


def _branch_logits(network, params, embedded, codes, level, branches_together):
    """[B, branches, T, V] logits of one level.  Finer levels are hidden from the model,
    also where their codes are given: training never showed it any (sec. 2.1)."""
    is_finer = jnp.arange(network.num_codebooks)[:, None] > level
    codes = jnp.where(is_finer, network.codebook_size, codes)
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
    settings: Settings,
    length: jax.Array,
    key: jax.Array,
    count: jax.Array,
    share: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """One step of one example and level: propose, rank, keep the best `count`.

    logits: [branches, T, V].  codes, order: [T].  settings: one row.  Revealed
    codes are never hidden again (Assumption A14).  Returns codes, order [T].
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
    """Linear from the level's first step to its last."""
    return first + (last - first) * share


@functools.partial(jax.jit, static_argnames="mask_code")
def _finish(state: State, mask_code: int):
    """Valid codes everywhere: 0 in padding."""
    return jnp.where(state.codes == mask_code, 0, state.codes), state.order
