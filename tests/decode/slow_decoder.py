"""The decoder of sec. 2.1.1 and 2.1.2 again, in NumPy loops and float64, for one
example of a `TableNetwork`; only the random draws are jax's."""

import math

import jax
import numpy as np

from stemjax.config.decode import DecodeConfig, Guidance

NULL_CONDITION = 4


def slow_logits(params, context, condition, target, level):
    """`TableNetwork.logits` of one example, frame by frame.  [T, V] float64."""
    levels, frames = target.shape
    mask = params["target"].shape[2] - 1
    out = np.zeros((frames, mask))
    for t in range(frames):
        out[t] += params["context"][level, context[level, t]]
        out[t] += params["condition"][condition]
        for q in range(levels):
            for i in range(3):
                s = t + i - 1
                code = target[q, s] if 0 <= s < frames else mask
                out[t] += params["target"][q, i, code].astype(float) / levels
    return out


def slow_guided(params, config, context, condition, target, level, *, is_joint=False):
    """Eq. 2 and 3, on log-probabilities.

    is_joint: the context is generated too, so it is no source."""

    def log_p(has_context, has_condition):
        null = params["context"].shape[1] - 1
        logits = slow_logits(
            params,
            context if has_context else np.full_like(context, null),
            condition if has_condition else NULL_CONDITION,
            target,
            level,
        )
        return logits - np.log(np.exp(logits).sum(-1, keepdims=True))

    a, b = config.scales
    if config.guidance is Guidance.NONE:
        return log_p(True, True)
    if is_joint:
        scale = a if config.guidance is Guidance.SINGLE else b
        return scale * log_p(True, True) + (1 - scale) * log_p(True, False)
    if config.guidance is Guidance.SINGLE:
        return a * log_p(True, True) + (1 - a) * log_p(False, False)
    audio, instrument, null = (
        log_p(True, False),
        log_p(False, True),
        log_p(False, False),
    )
    return a * audio + b * instrument + (1 - a - b) * null


def slow_sample(log_p, top_p, gumbel):
    """One frame's code and its probability before the filter."""
    p = np.exp(log_p) / np.exp(log_p).sum()
    allowed, mass = [], 0.0
    for code in np.argsort(-p, kind="stable"):
        if mass < top_p or top_p == 1:
            allowed.append(code)
        mass += p[code]
    code = max(allowed, key=lambda v: log_p[v] + gumbel[v])
    return code, p[code]


def slow_seen(codes, is_kept, level, mask, keeps_prefix):
    """What a pass at `level` sees of a stream's codes [Q, T], token by token."""
    seen = np.full_like(codes, mask)
    levels, frames = codes.shape
    for t in range(frames):
        in_prefix = keeps_prefix and is_kept[:, : t + 1].all()
        for q in range(levels):
            if q <= level or in_prefix:
                seen[q, t] = codes[q, t]
    return seen


def slow_decode(
    params,
    config: DecodeConfig,
    context,
    condition,
    key,
    length,
    given,
    is_kept,
    keeps_prefix=False,
):
    """Codes and order, both [Q, length]."""
    context, length = context[:, :length], int(length)
    (codes,), (order,) = slow_streams(
        lambda seen, level, _: slow_guided(
            params, config, context, condition, seen[0], level
        ),
        params,
        config,
        [key],
        [given[:, :length]],
        [is_kept[:, :length]],
        keeps_prefix,
    )
    return codes, order


def slow_joint(
    params, config: DecodeConfig, condition, keys, given, is_kept, keeps_prefix=False
):
    """Codes and orders of the stem and of its context, of a `JointTableNetwork`."""
    return slow_streams(
        lambda seen, level, stream: slow_guided(
            params,
            config,
            seen[1 - stream],
            condition,
            seen[stream],
            level,
            is_joint=True,
        ),
        params,
        config,
        keys,
        given,
        is_kept,
        keeps_prefix,
    )


def slow_streams(guided, params, config, keys, given, is_kept, keeps_prefix):
    """Decode streams side by side: codes and orders, a list of [Q, T] each.

    guided: (what is seen of each stream, level, number of the stream) -> [T, V]
    log-probabilities."""
    levels, frames = given[0].shape
    mask = params["context"].shape[2]
    codes = [np.where(k, g, mask) for g, k in zip(given, is_kept, strict=True)]
    orders = [np.where(k, 0, -1) for k in is_kept]
    for level in range(levels):
        steps = config.steps[min(level, len(config.steps) - 1)]
        total = [int((c[level] == mask).sum()) for c in codes]
        hidden = list(total)
        for t in range(1, steps + 1):
            seen = [
                slow_seen(c, k, level, mask, keeps_prefix)
                for c, k in zip(codes, is_kept, strict=True)
            ]
            for s, key in enumerate(keys):
                used = min(steps, total[s])
                if t > used:
                    continue
                log_p = guided(seen, level, s)
                share = (t - 1) / max(used - 1, 1)
                candidates = [
                    (-score, n, code)
                    for n, (score, code) in enumerate(
                        slow_candidates(config, log_p, key, level, t, share)
                    )
                    if codes[s][level, n] == mask
                ]
                keep = math.floor(total[s] * math.cos(math.pi / 2 * t / used) + 1e-9)
                keep = min(max(keep, used - t), hidden[s] - 1)
                for _, n, code in sorted(candidates)[: hidden[s] - keep]:
                    codes[s][level, n], orders[s][level, n] = code, t
                hidden[s] = keep
    return codes, orders


def slow_candidates(config, log_p, key, level, step, share):
    """Score (eq. 1) and code of every frame's candidate."""
    frames, num_codes = log_p.shape
    cold = config.temperature + share * (config.temperature_final - config.temperature)
    w_rand = config.w_rand * (1 + share * (config.w_rand_final - 1))
    tiny = float(np.finfo(np.float32).tiny)
    for n in range(frames):
        frame_key = jax.random.fold_in(key, (level << 26) + (step << 15) + n)
        u = jax.random.uniform(frame_key, (num_codes + 1,), minval=tiny)
        u = np.asarray(u, float)
        gumbel = -np.log(-np.log(u[1:]))
        code, confidence = slow_sample(log_p[n] / cold, config.top_p, gumbel)
        score = (
            config.w_conf * confidence
            + config.w_causal * (1 - n / frames)
            + w_rand * u[0]
        )
        yield score, code
