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


def slow_guided(params, config, context, condition, target, level):
    """Eq. 2 and 3, on log-probabilities."""

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


def slow_decode(
    params, config: DecodeConfig, context, condition, key, length, given, is_kept
):
    """Codes and order, both [Q, length]."""
    levels, codes_per_level = context.shape[0], params["context"].shape[2]
    mask = codes_per_level
    context, length = context[:, :length], int(length)
    codes = np.where(is_kept[:, :length], given[:, :length], mask)
    order = np.where(is_kept[:, :length], 0, -1)
    for level in range(levels):
        steps = config.steps[min(level, len(config.steps) - 1)]
        hidden = total = int((codes[level] == mask).sum())
        used = min(steps, total)
        for t in range(1, used + 1):
            seen = codes.copy()
            seen[level + 1 :] = mask
            share = (t - 1) / max(used - 1, 1)
            log_p = slow_guided(params, config, context, condition, seen, level)
            cold = config.temperature + share * (
                config.temperature_final - config.temperature
            )
            w_rand = config.w_rand * (1 + share * (config.w_rand_final - 1))
            candidates = []
            for n in range(length):
                tiny = float(np.finfo(np.float32).tiny)
                frame_key = jax.random.fold_in(key, (level << 26) + (t << 15) + n)
                u = jax.random.uniform(frame_key, (mask + 1,), minval=tiny)
                u = np.asarray(u, float)
                gumbel = -np.log(-np.log(u[1:]))
                code, confidence = slow_sample(log_p[n] / cold, config.top_p, gumbel)
                score = (
                    config.w_conf * confidence
                    + config.w_causal * (1 - n / length)
                    + w_rand * u[0]
                )
                if codes[level, n] == mask:
                    candidates.append((-score, n, code))
            keep = math.floor(total * math.cos(math.pi / 2 * t / used) + 1e-9)
            keep = min(max(keep, used - t), hidden - 1)
            for _, n, code in sorted(candidates)[: hidden - keep]:
                codes[level, n], order[level, n] = code, t
            hidden = keep
    return codes, order
