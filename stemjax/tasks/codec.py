"""Training of the codec (EnCodec, sec. 3.2 to 3.4, without the discriminator).

Loss: multi-scale log-mel distance, waveform distances and commitment.  Codebooks are not
trained by gradients: they live in `model_state` and follow exponential moving averages of
the vectors that chose them, from sums over the whole batch, once per optimiser step.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays import vq
from stemjax.arrays.losses import multi_scale_mel_distance, si_sdr
from stemjax.codec import functional
from stemjax.config.runs import CodecRun
from stemjax.tasks.task import LossOut, Sums, Task

INT16 = 32_768.0
SISDR_RANGE = (-30.0, 60.0)  # dB; beyond, one odd clip would rule a mean


def make(run: CodecRun) -> Task:
    """The task of one codec run."""
    return Task(
        name="codec",
        init=lambda key: functional.init(key, run.model),
        loss=functools.partial(loss, run),
        eval_sums=functools.partial(eval_sums, run),
        dummy_batch=functools.partial(dummy_batch, run),
        prepare=functools.partial(prepare, run),
        update_state=functools.partial(update_state, run),
        higher_is_better=("mel", False),
    )


def dummy_batch(run: CodecRun, batch_size: int) -> dict[str, np.ndarray]:
    """A batch of silence: audio [B, N] int16."""
    samples = round(run.objective.crop_seconds * run.model.sample_rate)
    samples -= samples % run.model.hop
    return {"audio": np.zeros((batch_size, samples), np.int16)}


def prepare(run: CodecRun, params, model_state, frozen, batch, key):
    """k-means of the first batch's latents, level by level, into untrained codebooks."""
    is_inited = functional.stack_codebooks(model_state, "inited").min() > 0

    def fill(state):
        audio = batch["audio"].astype(jnp.float32) / INT16
        latents = functional.encode_latents(params, run.model, audio)
        residual = latents.reshape(-1, run.model.hidden_size)
        fields = []
        for k in jax.random.split(key, run.model.num_codebooks):
            size, turns = run.model.codebook_size, run.objective.kmeans_iterations
            embed, _ = vq.kmeans(k, residual, size, turns)
            residual = residual - embed[vq.nearest(residual, embed)]
            # every code starts alive: the EMA of a code used at the mean rate
            ones = jnp.full(size, _mean_count(run, len(residual)))
            fields.append((embed, embed * ones[:, None], ones))
        return _rebuild(state, fields)

    return jax.lax.cond(is_inited, lambda state: state, fill, model_state)


def _mean_count(run: CodecRun, vectors: int) -> float:
    """Vectors per code and step, if all codes were used alike."""
    return vectors / run.model.codebook_size


def _rebuild(state: Any, fields: list) -> Any:
    """Model state with (embed, embed_avg, cluster_size) of each level replaced."""
    layers = {
        f"layers_{q}": {
            "codebook": {
                "embed": embed,
                "embed_avg": average,
                "cluster_size": size,
                "inited": jnp.ones(1),
            }
        }
        for q, (embed, average, size) in enumerate(fields)
    }
    return {**state, "quantizer": layers}


def _forward(run: CodecRun, params, model_state, audio):
    """Codes, residuals, commitment and reconstruction of audio [B, N]."""
    latents = functional.encode_latents(params, run.model, audio)
    flat = latents.reshape(-1, run.model.hidden_size)
    codes, quantized, residuals = vq.quantize_residual(
        jax.lax.stop_gradient(flat), functional.stack_codebooks(model_state)
    )
    commitment = jnp.mean((flat - quantized) ** 2)
    straight = flat + jax.lax.stop_gradient(quantized - flat)
    output = functional.decode_latents(
        params, run.model, straight.reshape(latents.shape)
    )
    return codes, residuals, commitment, output


def _distances(run: CodecRun, output, audio) -> dict[str, jax.Array]:
    """Per-example distances [B] of the reconstruction."""
    mel = functools.partial(
        multi_scale_mel_distance,
        sample_rate=run.model.sample_rate,
        windows=run.objective.mel_windows,
        bins=run.objective.mel_bins,
    )
    return {
        "mel": jax.vmap(mel)(output, audio),
        "wave": jnp.mean(jnp.abs(output - audio), axis=1),
        "si_sdr": jnp.clip(jax.vmap(si_sdr)(output, audio), *SISDR_RANGE),
    }


def loss(run: CodecRun, params, model_state, frozen, batch, key):
    """Weighted sum of the losses of one batch; see `Task.loss`."""
    audio = batch["audio"].astype(jnp.float32) / INT16
    codes, residuals, commitment, output = _forward(run, params, model_state, audio)
    parts = _distances(run, output, audio)
    weights = run.objective
    total = (
        weights.mel_weight * jnp.mean(parts["mel"])
        + weights.wave_weight * jnp.mean(parts["wave"])
        - weights.sisdr_weight * jnp.mean(parts["si_sdr"]) / 10
        + weights.commit_weight * commitment
    )
    one = jnp.ones(())
    sums: Sums = {"loss": (total, one), "commitment": (commitment, one)}
    count = jnp.float32(len(audio))
    sums |= {name: (jnp.sum(value), count) for name, value in parts.items()}
    return total, LossOut(sums, _stats(run, codes, residuals, key))


def _stats(run: CodecRun, codes, residuals, key) -> dict[str, jax.Array]:
    """What the codebooks need, additive over micro-batches.

    Dead codes restart from random vectors of the batch; their sum over micro-batches is
    divided by `parts`, so the candidate is then a mean of as many vectors.
    """
    size = run.model.codebook_size
    counts, sums = jax.vmap(lambda c, r: vq.code_sums(c, r, size))(codes, residuals)
    picked = jax.random.randint(key, (len(codes), size), 0, residuals.shape[1])
    candidates = jnp.take_along_axis(residuals, picked[..., None], axis=1)
    return {
        "count": counts,
        "sum": sums,
        "candidate": candidates,
        "parts": jnp.ones(()),
    }


def update_state(run: CodecRun, model_state, stats, key):
    """EMA of the codebooks, and a new start for codes that nobody chooses."""
    fields = []
    stats = jax.lax.stop_gradient(stats)
    for q in range(run.model.num_codebooks):
        book = model_state["quantizer"][f"layers_{q}"]["codebook"]
        embed, average, size = vq.ema_update(
            book["embed_avg"],
            book["cluster_size"],
            stats["count"][q],
            stats["sum"][q],
            decay=run.objective.ema_decay,
        )
        threshold = run.objective.dead_threshold * jnp.mean(stats["count"][q])
        fields.append(
            vq.restart_dead(
                embed,
                average,
                size,
                stats["candidate"][q] / stats["parts"],
                threshold=threshold,
            )
        )
    return _rebuild(model_state, fields)


def eval_sums(run: CodecRun, params, model_state, frozen, batch, key) -> Sums:
    """Validation sums; rows with `is_valid` False count for nothing."""
    audio = batch["audio"].astype(jnp.float32) / INT16
    weight = batch["is_valid"].astype(jnp.float32)
    codes, _, _, output = _forward(run, params, model_state, audio)
    parts = _distances(run, output, audio)
    count = jnp.sum(weight)
    sums: Sums = {k: (jnp.sum(v * weight), count) for k, v in parts.items()}
    per_frame = jnp.repeat(weight, codes.shape[1] // len(audio))
    for q in range(run.model.num_codebooks):
        used = jnp.zeros(run.model.codebook_size).at[codes[q]].add(per_frame)
        share = used / jnp.maximum(jnp.sum(used), 1)
        entropy = -jnp.sum(share * jnp.log(jnp.maximum(share, 1e-12)))
        sums[f"perplexity_{q + 1}"] = (jnp.exp(entropy), jnp.ones(()))
    return sums
