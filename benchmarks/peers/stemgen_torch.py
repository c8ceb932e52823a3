"""StemGen's network in plain PyTorch: the peer of stemjax/models/stemgen.py.

Written as PyTorch users write a transformer: `nn.Linear` without bias, `F.rms_norm`,
`F.scaled_dot_product_attention`, rotary tables made once.  `load` takes a tree of
stemjax's parameters, so that both sides compute the same function.  Only the model
without options is here: one categorical condition, tables that are not shared, heads
for the target alone, no padding.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from stemjax.config.model import StemGenConfig, TransformerConfig

NORM_EPSILON = 1e-6


class RMSNorm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, NORM_EPSILON)


def rotate(x, cos, sin):
    """Rotate the pairs (k, k + K/2) of [B, H, T, K] by angles whose tables are
    [T, K]."""
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-b, a), dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, cfg: TransformerConfig):
        super().__init__()
        self.heads = cfg.heads
        self.qkv = nn.Linear(cfg.width, 3 * cfg.width, bias=False)
        self.out = nn.Linear(cfg.width, cfg.width, bias=False)

    def forward(self, x, rope):  # [B, T, D]
        B, T, D = x.shape
        qkv = self.qkv(x).view(B, T, 3, self.heads, D // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(rotate(q, *rope), rotate(k, *rope), v)
        return self.out(y.transpose(1, 2).reshape(B, T, D))


class SwiGLU(nn.Module):
    def __init__(self, cfg: TransformerConfig):
        super().__init__()
        self.gate_up = nn.Linear(cfg.width, 2 * cfg.mlp_hidden, bias=False)
        self.down = nn.Linear(cfg.mlp_hidden, cfg.width, bias=False)

    def forward(self, x):
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)


class Block(nn.Module):
    def __init__(self, cfg: TransformerConfig):
        super().__init__()
        self.attention_norm, self.mlp_norm = RMSNorm(cfg.width), RMSNorm(cfg.width)
        self.attention, self.mlp = Attention(cfg), SwiGLU(cfg)

    def forward(self, x, rope):
        x = x + self.attention(self.attention_norm(x), rope)
        return x + self.mlp(self.mlp_norm(x))


class CodeEmbedding(nn.Module):
    """Sum over levels of one row per code; row V is MASK or null."""

    def __init__(self, cfg: StemGenConfig):
        super().__init__()
        rows, half = cfg.codebook_size + 1, cfg.transformer.width // 2
        self.tables = nn.ModuleList(
            nn.Embedding(rows, half) for _ in range(cfg.num_codebooks)
        )

    def forward(self, codes):  # [B, Q, T] -> [B, T, D/2]
        return sum(table(codes[:, q]) for q, table in enumerate(self.tables))


class StemGen(nn.Module):
    """Context and target codes in, logits of one level of the target out."""

    def __init__(self, cfg: StemGenConfig, max_frames: int):
        super().__init__()
        net = cfg.transformer
        self.cfg = cfg
        self.context_embed, self.target_embed = CodeEmbedding(cfg), CodeEmbedding(cfg)
        (condition,) = cfg.conditions
        self.condition_embed = nn.Embedding(condition.size + 1, net.width // 2)
        self.layers = nn.ModuleList(Block(net) for _ in range(net.layers))
        self.norm = RMSNorm(net.width)
        self.heads = nn.ModuleList(
            nn.Linear(net.width, cfg.codebook_size, bias=False)
            for _ in range(cfg.num_codebooks)
        )
        head = net.width // net.heads
        rates = net.rope_theta ** (-torch.arange(0, head, 2) / head)
        angles = torch.arange(max_frames)[:, None] * torch.cat((rates, rates))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def embed(self, context_codes, instrument):
        """What a decoding embeds once: ([B, T, D/2], [B, 1, D/2]).

        context_codes: [B, Q, T], V is null.  instrument: [B], its table's last is null.
        """
        return self.context_embed(context_codes), self.condition_embed(instrument)[
            :, None
        ]

    def hidden(self, embedded, target_codes):
        """[B, T, D] of target codes [B, Q, T], V is MASK."""
        context, condition = embedded
        target = self.target_embed(target_codes)
        x = torch.cat((context + condition, target + condition), dim=-1)
        rope = self.cos[: x.shape[1]], self.sin[: x.shape[1]]
        for layer in self.layers:
            x = layer(x, rope)
        return self.norm(x)

    def forward(self, embedded, target_codes, level: int):
        """Logits of one level, [B, T, V]."""
        return self.heads[level](self.hidden(embedded, target_codes))


def load(cfg: StemGenConfig, params: Mapping[str, Any], max_frames: int) -> StemGen:
    """The peer with the weights of stemjax's `params` (a tree of dicts of arrays)."""
    model = StemGen(cfg, max_frames)
    D = cfg.transformer.width

    def copy(parameter, array):
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.array(array)))

    def linear(layer, kernel):  # ours is [in, ...]; theirs [out, in]
        copy(layer.weight, np.asarray(kernel).reshape(layer.in_features, -1).T)

    for name in ("context_embed", "target_embed"):
        for q, table in enumerate(getattr(model, name).tables):
            copy(table.weight, params[name]["embedding"][q])
    (condition,) = cfg.conditions
    table = params[f"condition_embed_{condition.name}"]["embedding"]
    copy(model.condition_embed.weight, table)
    for i, layer in enumerate(model.layers):
        ours = params["backbone"][f"layers_{i}"]
        copy(layer.attention_norm.weight, ours["attention_norm"]["scale"])
        copy(layer.mlp_norm.weight, ours["mlp_norm"]["scale"])
        linear(layer.attention.qkv, ours["attention"]["qkv"])
        linear(layer.attention.out, np.asarray(ours["attention"]["out"]).reshape(D, D))
        linear(layer.mlp.gate_up, ours["mlp"]["gate_up"])
        linear(layer.mlp.down, ours["mlp"]["down"])
    copy(model.norm.weight, params["backbone"]["norm"]["scale"])
    for q, head in enumerate(model.heads):
        linear(head, params["heads"]["kernel"][q])
    return model
