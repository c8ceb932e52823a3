"""Iterative decoding in plain PyTorch (StemGen, eq. 1 and 3): the peer of
stemjax/decode/iterate.py for one context, multi-source guidance and no padding."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

from benchmarks.peers.stemgen_torch import StemGen

# draw(level, step, shape) -> Exp(1) [T, V] that picks the codes, U(0, 1) [T] of eq. 1
Draw = Callable[[int, int, tuple[int, int]], tuple[torch.Tensor, torch.Tensor]]


def random_draw(device: torch.device | str) -> Draw:
    """Noise from PyTorch's generator."""

    def draw(level, step, shape):
        exponential = torch.empty(shape, device=device).exponential_()
        return exponential, torch.rand(shape[0], device=device)

    return draw


def hidden_after(step: int, steps: int, total: int) -> int:
    """Codes still hidden after a step, counted from 1: the cosine schedule."""
    if step >= steps:
        return 0
    return math.floor(total * math.cos(math.pi / 2 * step / steps))


def branches(model: StemGen, context_codes, instrument):
    """Embedded inputs of the three branches of eq. 3: audio, instrument, neither.

    context_codes: [B, Q, T].  instrument: [B].  Rows are branch-major, [3 B, ...].
    """
    null = torch.full_like(context_codes, model.cfg.codebook_size)
    no_instrument = torch.full_like(instrument, model.cfg.conditions[0].size)
    return model.embed(
        torch.cat((context_codes, null, null)),
        torch.cat((no_instrument, instrument, no_instrument)),
    )


def propose(
    model: StemGen, embedded, codes, head, scales, exponential, temperature: float
):
    """One code per frame (Gumbel-max) and its probability, both [B, T].

    Eq. 3 with the branches as one batch.  codes: [B, Q, T].  head: [V, D], the kernel
    of the level; an argument, so that a compiled program serves every level.
    """
    hidden = model.hidden(embedded, codes.repeat(3, 1, 1))
    audio, instrument, null = F.linear(hidden, head).chunk(3)
    a, b = scales
    logits = a * audio.float() + b * instrument.float() + (1 - a - b) * null.float()
    probabilities = torch.softmax(logits / temperature, dim=-1)
    proposed = (probabilities / exponential).argmax(dim=-1)
    return proposed, probabilities.gather(-1, proposed[..., None])[..., 0]


@torch.inference_mode()
def decode(
    model: StemGen,
    context_codes: torch.Tensor,
    instrument: torch.Tensor,
    *,
    steps: tuple[int, ...],
    scales: tuple[float, float],
    w_conf: float,
    w_causal: float,
    w_rand: float,
    temperature: float,
    draw: Draw,
    propose: Callable = propose,
) -> torch.Tensor:
    """Codes [B, Q, T] of a batch of contexts [B, Q, T].

    propose: the function of this name, or what `torch.compile` made of it.
    """
    B, Q, T = context_codes.shape
    mask = model.cfg.codebook_size
    embedded = branches(model, context_codes, instrument)
    codes = torch.full_like(context_codes, mask)
    earliness = 1 - torch.arange(T, device=codes.device) / T
    for level, count in zip(range(Q), steps, strict=True):
        head, hidden = model.heads[level].weight, T
        for step in range(1, count + 1):
            exponential, noise = draw(level, step, (B * T, mask))
            exponential = exponential.view(B, T, mask)
            proposed, confidence = propose(
                model, embedded, codes, head, scales, exponential, temperature
            )
            scores = w_conf * confidence + w_causal * earliness
            scores = scores + w_rand * noise.view(B, T)
            scores = scores.masked_fill(codes[:, level] != mask, -math.inf)
            left = hidden_after(step, count, T)
            kept = scores.topk(hidden - left, dim=-1).indices
            codes[:, level].scatter_(-1, kept, proposed.gather(-1, kept))
            hidden = left
    return codes
