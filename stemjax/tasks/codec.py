"""The codec as a task (EnCodec, sec. 3.2 to 3.4).

Gradients train encoder and decoder, straight through the quantizer: distances of spectra
and samples, and the commitment loss, which keeps latents near their codes.  Codebooks are
not trained by gradients.  They are the task's `model_state`: they start from k-means of
the first batch, and follow moving averages of the latents that chose them, once per
optimiser step, from sums over all micro-batches and devices.

With weights in `run.adversarial`, a discriminator trains along (`adversarial`).  With
`freeze_codes` only the decoder trains; encoder and codebooks stay fixed.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays import vq
from stemjax.arrays.losses import (
    level_difference,
    multi_scale_mel_distance,
    si_sdr,
    tone_distance,
    wave_distance,
)
from stemjax.codec import discriminator, functional
from stemjax.codec.spectral_encoder import heard
from stemjax.config.codec import OscillatorCodecConfig
from stemjax.config.runs import CodecRun
from stemjax.config.validation import BEST_METRIC
from stemjax.tasks import adversarial
from stemjax.tasks.codec_crops import as_float, at_levels, training_crops
from stemjax.tasks.task import LossOut, Sums, Task

LOSS_FLOOR = 1e-6  # mean square (-60 dB) under which SI-SDR's gradient fades
RESTARTS = 128  # codes of a level that may start again in one step


def make(run: CodecRun) -> Task:
    """The task of one codec run; batches are {"audio": [B, N] int16}, N on the hop.

    Validation reports `mel`, the distance that decides the best step, `wave`, `si_sdr`
    in dB, `level`, the absolute level error in dB over the range `crop_levels`, and
    `perplexity_q` of the codes of level q in a batch.  With a discriminator `mel` may
    rise while the audio sounds better, so the newest step counts as the best.
    """
    is_adversarial = run.adversarial.is_on
    return Task(
        name="codec",
        init=functools.partial(_init, run),
        loss=functools.partial(_loss, run),
        eval_sums=functools.partial(_eval_sums, run),
        dummy_batch=functools.partial(_dummy_batch, run),
        prepare=functools.partial(_prepare, run),
        update_state=functools.partial(_update_state, run),
        higher_is_better=None if is_adversarial else BEST_METRIC["codec"],
        fresh_parts=(adversarial.PART,) if is_adversarial else (),
    )


def _init(run: CodecRun, key):
    params, codebooks = functional.init(key, run.model)
    if run.adversarial.is_on:
        k_discriminator = jax.random.fold_in(key, 1)
        shape = run.adversarial.discriminator
        params[adversarial.PART] = discriminator.init(k_discriminator, shape)
    return params, codebooks


def nest_codebooks(embed, embed_avg, cluster_size) -> dict:
    """Model state under the published names: [Q, V, D], [Q, V, D], [Q, V]."""
    layers = {
        f"layers_{q}": {
            "codebook": {
                "embed": embed[q],
                "embed_avg": embed_avg[q],
                "cluster_size": cluster_size[q],
                "inited": jnp.ones(1),
            }
        }
        for q in range(len(embed))
    }
    return {"quantizer": layers}


def _dummy_batch(run: CodecRun, batch_size: int) -> dict[str, np.ndarray]:
    samples = round(run.objective.crop_seconds * run.model.sample_rate)
    samples -= samples % run.model.hop
    return {"audio": np.zeros((batch_size, samples), np.int16)}


def _prepare(run: CodecRun, params, model_state, frozen, batch, key):
    """k-means of a batch's latents, level by level, into empty codebooks.

    The first batch, or the one after `continuous_steps`.
    """
    cfg, objective = run.model, run.objective

    def fill(state):
        crops = training_crops(run, batch, key)
        latents = functional.encode_latents(params, cfg, crops)
        vectors = latents.reshape(-1, cfg.hidden_size)
        embed = vq.residual_kmeans(
            key,
            vectors,
            num_levels=cfg.num_codebooks,
            num_codes=cfg.codebook_size,
            iterations=objective.kmeans_iterations,
            scales=functional.distance_scales(cfg),
        )
        size = _first_size(run, len(vectors) / cfg.codebook_size)
        return nest_codebooks(embed, embed * size, jnp.full(embed.shape[:2], size))

    due = 1 - 0.5 / max(1, objective.continuous_steps)
    begun = functional.stack_codebooks(model_state, "inited").min() >= due
    is_due = begun | (objective.continuous_steps == 0)
    return jax.lax.cond(
        is_due & ~_is_quantizing(model_state), fill, lambda state: state, model_state
    )


def _is_quantizing(model_state) -> jax.Array:
    """Whether the codebooks have been filled: bool []."""
    return jnp.any(functional.stack_codebooks(model_state) != 0)


def _first_size(run: CodecRun, mean):
    """Initial cluster size of a new code, for the mean count `mean` of a code.

    Twice the threshold for restarts: the code has ln 2 / (1 - ema_decay) steps (69) to be
    chosen, and its first vectors move it far.  Latents leave the first codebooks within
    tens of steps; codes with the mean as initial size stayed unused for 230 steps.
    """
    threshold = run.objective.dead_threshold
    return mean * (2 * threshold if threshold > 0 else 1.0)


def _quantize(model_state, latents, scales=None):
    """Codes [Q, B T]; residuals [Q + 1, B T, D] before each level and after the last."""
    flat = jax.lax.stop_gradient(latents.reshape(-1, latents.shape[-1]))
    codes, quantized, residuals = vq.quantize_residual(
        flat, functional.stack_codebooks(model_state), scales
    )
    return codes, jnp.concatenate([residuals, (flat - quantized)[None]])


def _distances(run: CodecRun, output, audio, floor: float) -> dict[str, jax.Array]:
    """Per example [B]: mel distance, mean absolute sample difference, SI-SDR in dB, and
    absolute level error in dB.
    """

    def one(output, audio):
        return {
            "mel": multi_scale_mel_distance(
                output, audio, run.objective, run.model.sample_rate
            ),
            "wave": wave_distance(output, audio),
            "si_sdr": si_sdr(output, audio, floor),
            "level": jnp.abs(level_difference(output, audio)),
        }

    def tone(output, audio):
        return tone_distance(output, audio, run.objective, run.model.sample_rate)

    parts = jax.vmap(one)(output, audio)
    if run.objective.tone_weight > 0:
        parts["tone"] = jax.vmap(tone)(output, audio)
    return parts


def _reconstruct(run: CodecRun, params, latents, audio):
    """Decoded samples [B, N], and the mean error of the spectra that they are made from.

    The error is 0 for a codec without spectra.
    """
    if not isinstance(run.model, OscillatorCodecConfig):
        return functional.decode_latents(params, run.model, latents), jnp.zeros(())
    output, spectra = functional.decode_with_spectra(params, run.model, latents)
    return output, jnp.mean(jnp.abs(spectra - heard(audio, run.model)))


def _loss(run: CodecRun, params, model_state, frozen, batch, key):
    cfg, weights = run.model, run.objective
    audio = training_crops(run, batch, key)
    k_levels, k_candidates = jax.random.split(key)
    latents = functional.encode_latents(params, cfg, audio)
    if weights.freeze_codes:
        latents = jax.lax.stop_gradient(latents)
    codes, residuals = _quantize(model_state, latents, functional.distance_scales(cfg))
    left = residuals[1:].reshape(-1, *latents.shape)  # [Q, B, T, D]
    explained = jax.lax.stop_gradient(latents) - left
    commitment = jnp.mean((latents - explained) ** 2)
    levels = _levels_kept(run, k_levels, len(audio))
    quantized = explained[levels - 1, jnp.arange(len(audio))]
    is_quantizing = _is_quantizing(model_state)
    commitment = jnp.where(is_quantizing, commitment, 0)
    quantized = jnp.where(is_quantizing, quantized, latents)
    given = vq.straight_through(latents, quantized)
    output, spectrum = _reconstruct(run, params, given, audio)
    parts = _distances(run, output, audio, LOSS_FLOOR)
    total = (
        weights.mel_weight * jnp.mean(parts["mel"])
        + weights.wave_weight * jnp.mean(parts["wave"])
        - weights.sisdr_weight * jnp.mean(parts["si_sdr"]) / 10
        + weights.commit_weight * commitment
        + weights.spectrum_weight * spectrum
    )
    if "tone" in parts:
        total += weights.tone_weight * jnp.mean(parts["tone"])
    count = jnp.float32(len(audio))
    sums: Sums = {name: (jnp.sum(value), count) for name, value in parts.items()}
    sums["commitment"] = (commitment * count, count)
    sums["spectrum"] = (spectrum * count, count)
    for q, used in enumerate(
        functional.stack_codebooks(model_state, "cluster_size"), start=1
    ):
        # of the moving average, so over about 1 / (1 - ema_decay) steps
        sums[f"perplexity_{q}"] = (vq.perplexity(used) * count, count)
    if run.adversarial.is_on:
        judged, more = adversarial.losses(
            run.adversarial, params[adversarial.PART], output, audio
        )
        total, sums = total + judged, sums | more
    return total, LossOut(sums, _stats(run, codes, residuals, k_candidates))


def _levels_kept(run: CodecRun, key, batch_size: int) -> jax.Array:
    """Number of levels from which each example is decoded, [B] int32 in 1..Q."""
    every = run.model.num_codebooks
    k_share, k_levels = jax.random.split(key)
    is_cut = jax.random.uniform(k_share, (batch_size,)) < run.objective.level_dropout
    fewer = jax.random.randint(k_levels, (batch_size,), 1, max(2, every))
    return jnp.where(is_cut, fewer, every)


def _stats(run: CodecRun, codes, residuals, key) -> dict[str, jax.Array]:
    """Statistics for the codebooks, additive over micro-batches.

    `count` [Q, V] and `sum` [Q, V, D] of the vectors that chose each code; `candidate`
    [Q, R, D] and `weight` [Q, R] of vectors that may replace dead codes.  The weights
    grow steeply with a random number, so that candidate / weight is in effect the vector
    of one micro-batch, drawn per slot.
    """
    levels, vectors = codes.shape
    counts, sums = jax.vmap(
        functools.partial(vq.code_sums, num_codes=run.model.codebook_size)
    )(codes, residuals[:-1])
    number = min(RESTARTS, vectors, run.model.codebook_size)
    k_pick, k_weight = jax.random.split(key)
    candidates = jax.vmap(functools.partial(vq.pick_candidates, number=number))(
        jax.random.split(k_pick, levels),
        residuals[:-1],
        jnp.sum(residuals[1:] ** 2, axis=-1),
    )
    weight = jnp.exp(40 * jax.random.uniform(k_weight, (levels, number)))
    return {
        "count": counts,
        "sum": sums,
        "candidate": candidates * weight[..., None],
        "weight": weight,
    }


def _update_state(run: CodecRun, model_state, stats, key):
    """Codebooks after one step: they follow the latents.

    While they are empty, `inited` rises from 0 to 1 over `continuous_steps`.
    """
    if run.objective.freeze_codes:
        return model_state
    follow = functools.partial(_follow, run)
    if not run.objective.continuous_steps:
        return follow(model_state, stats, key)

    def wait(state, stats, key):
        begun = functional.stack_codebooks(state, "inited") + (
            1 / run.objective.continuous_steps
        )
        return _with_inited(state, jnp.minimum(begun, 1))

    is_quantizing = _is_quantizing(model_state)
    return jax.lax.cond(is_quantizing, follow, wait, model_state, stats, key)


def _with_inited(state, inited) -> dict:
    """The state with other `inited` [Q, 1]."""
    layers = {
        f"layers_{q}": {
            "codebook": state["quantizer"][f"layers_{q}"]["codebook"]
            | {"inited": value}
        }
        for q, value in enumerate(inited)
    }
    return {"quantizer": layers}


def _follow(run: CodecRun, model_state, stats, key) -> dict:
    """Update the codebooks' moving averages, and restart codes that are rarely chosen."""
    objective = run.objective
    embed, embed_avg, cluster_size = vq.ema_update(
        functional.stack_codebooks(model_state, "embed_avg"),
        functional.stack_codebooks(model_state, "cluster_size"),
        stats["count"],
        stats["sum"],
        decay=objective.ema_decay,
    )
    mean = jnp.mean(stats["count"])
    restart = functools.partial(
        vq.restart_dead,
        threshold=objective.dead_threshold * mean,
        size=_first_size(run, mean),
    )
    candidates = stats["candidate"] / stats["weight"][..., None]
    # which candidate a dead code gets is drawn by the step's key
    candidates = jax.random.permutation(key, candidates, axis=1)
    return nest_codebooks(
        *jax.vmap(restart)(embed, embed_avg, cluster_size, candidates)
    )


def _encode_and_decode(run: CodecRun, params, model_state, audio):
    """Decoded audio [B, N], codes [Q, B T] and latents [B, T, D] of audio [B, N]."""
    cfg = run.model
    latents = functional.encode_latents(params, cfg, audio)
    codes, residuals = _quantize(model_state, latents, functional.distance_scales(cfg))
    # quantize with empty codebooks too, so that no such step becomes the best
    quantized = latents - residuals[-1].reshape(latents.shape)
    return functional.decode_latents(params, cfg, quantized), codes, latents


def _eval_sums(run: CodecRun, params, model_state, frozen, batch, key) -> Sums:
    audio = as_float(batch)
    weight = batch["is_valid"].astype(jnp.float32)
    output, codes, latents = _encode_and_decode(run, params, model_state, audio)
    parts = _distances(run, output, audio, floor=1e-12)
    if run.objective.crop_levels:  # the level error over the range of the training
        scaled = at_levels(audio, jnp.linspace(*run.objective.crop_levels, len(audio)))
        output, _, _ = _encode_and_decode(run, params, model_state, scaled)
        parts["level"] = jnp.abs(jax.vmap(level_difference)(output, scaled))
    count = jnp.sum(weight)
    sums: Sums = {
        name: (jnp.sum(jnp.where(weight > 0, value, 0)), count)
        for name, value in parts.items()
    }
    per_frame = jnp.repeat(weight, latents.shape[1])
    for q, chosen in enumerate(codes, start=1):
        used = jnp.zeros(run.model.codebook_size).at[chosen].add(per_frame)
        sums[f"perplexity_{q}"] = (vq.perplexity(used) * count, count)
    return sums
