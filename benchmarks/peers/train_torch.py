"""StemGen's training step in plain PyTorch: the peer of stemjax/tasks/stemgen.py with
stemjax/train/step.py for batches of tokens (masks of fig. 4, dropout of sources, AdamW
with clipping)."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F

from benchmarks.peers.stemgen_torch import StemGen
from stemjax.config.model import StemGenObjective
from stemjax.config.train import OptimConfig


class Drawn(NamedTuple):
    """What a step draws for B examples."""

    level: torch.Tensor  # [B] int64
    is_masked: torch.Tensor  # [B, Q, T] bool
    is_dropped: torch.Tensor  # [B, 2] bool: context, condition


def draw(batch: int, levels: int, frames: int, objective: StemGenObjective, device):
    """Levels, masks and dropped sources from PyTorch's generator."""
    odds = objective.level_decay ** torch.arange(levels, device=device).float()
    level = torch.multinomial(odds, batch, replacement=True)
    ratio = torch.cos(torch.rand(batch, device=device) * (math.pi / 2))
    count = (ratio * frames).round().clamp(1, frames)
    rank = torch.rand(batch, frames, device=device).argsort(dim=-1).argsort(dim=-1)
    is_drawn = (rank < count[:, None])[:, None]
    at = torch.arange(levels, device=device)[:, None]
    drawn_level = level[:, None, None]
    is_masked = torch.where(at == drawn_level, is_drawn, at > drawn_level)
    rates = torch.tensor(
        [objective.context_dropout, objective.condition_dropout], device=device
    )
    return Drawn(level, is_masked, torch.rand(batch, 2, device=device) < rates)


def loss(model: StemGen, context, target, instrument, drawn: Drawn) -> torch.Tensor:
    """Mean cross-entropy of the hidden tokens of each example's level.

    context, target: [B, Q, T].  instrument: [B].
    """
    mask = model.cfg.codebook_size
    level, is_masked, is_dropped = drawn
    context = context.masked_fill(is_dropped[:, :1, None], mask)
    instrument = instrument.masked_fill(is_dropped[:, 1], model.cfg.conditions[0].size)
    shown = target.masked_fill(is_masked, mask)
    hidden = model.hidden(model.embed(context, instrument), shown)
    kernels = torch.stack([head.weight for head in model.heads])[level]  # [B, V, D]
    logits = torch.bmm(hidden, kernels.to(hidden.dtype).transpose(1, 2)).float()
    rows = torch.arange(len(level), device=level.device)
    nats = F.cross_entropy(
        logits.flatten(0, 1), target[rows, level].flatten(), reduction="none"
    )
    is_counted = is_masked[rows, level].flatten()
    return (nats * is_counted).sum() / is_counted.sum()


def make_optimizer(model: StemGen, cfg: OptimConfig) -> torch.optim.AdamW:
    """AdamW whose decay leaves out norms and embeddings."""
    plain = [p for n, p in model.named_parameters() if "norm" in n or "embed" in n]
    ids = {id(p) for p in plain}
    decayed = [p for p in model.parameters() if id(p) not in ids]
    return torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": cfg.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ],
        lr=cfg.peak_lr,
        betas=(cfg.beta1, cfg.beta2),
        fused=True,
    )


def make_step(
    model: StemGen,
    objective: StemGenObjective,
    optim: OptimConfig,
    *,
    run_loss: Callable = loss,
    autocast: torch.dtype | None = None,
) -> Callable[[Mapping[str, torch.Tensor]], torch.Tensor]:
    """batch -> loss [], and the model is updated.

    run_loss: `loss`, or what `torch.compile` made of it.  autocast: type of matrix
    products where it is not float32.
    """
    optimizer = make_optimizer(model, optim)
    parameters = list(model.parameters())

    def step(batch):
        context, target = batch["context_codes"], batch["target_codes"]
        drawn = draw(*target.shape, objective, target.device)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(target.device.type, autocast, enabled=autocast is not None):
            value = run_loss(model, context, target, batch["instrument"], drawn)
        value.backward()
        torch.nn.utils.clip_grad_norm_(parameters, optim.clip_norm)
        optimizer.step()
        return value.detach()

    return step
