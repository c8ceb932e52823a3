"""Networks without a transformer: their logits are read from tables, so a decoding's
result is known or can be worked out by hand."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class TableNetwork:
    """Logits of a frame: table rows of its context code, its condition, and of the
    target codes at it and beside it.  Nothing sums over frames or rows, so results are
    exact whatever the batch and the padding."""

    num_codebooks: int
    codebook_size: int
    keeps_prefix: bool = False
    guides_by_context: ClassVar[bool] = True

    def init(self, seed: int) -> dict:
        rng = np.random.default_rng(seed)
        levels, codes = self.num_codebooks, self.codebook_size
        table = {
            "context": rng.normal(size=(levels, codes + 1, codes)),
            "condition": rng.normal(size=(5, codes)),
            "target": rng.normal(size=(levels, 3, codes + 1, codes)),
        }
        return {name: 1.5 * rows.astype(np.float32) for name, rows in table.items()}

    def embed(self, params, context_codes, conditions, is_dropped, lengths):
        null = self.codebook_size
        context = jnp.where(is_dropped[:, 0, None, None], null, context_codes)
        condition = jnp.where(is_dropped[:, 1], 4, conditions["instrument"])
        return {"context": context, "condition": condition}

    def prepare(self, params):
        return params

    def logits(self, params, embedded, target_codes, level):
        beside = jnp.pad(
            target_codes, ((0, 0), (0, 0), (1, 1)), constant_values=self.codebook_size
        )
        out = params["context"][level, embedded["context"][:, level]]
        out += params["condition"][embedded["condition"]][:, None]
        for q in range(self.num_codebooks):
            for i in range(3):
                rows = beside[:, q, i : i + target_codes.shape[-1]]
                out += params["target"][q, i][rows] / self.num_codebooks
        return out


@dataclasses.dataclass(frozen=True)
class JointTableNetwork(TableNetwork):
    """The same tables for two streams that are generated, as the halves of the rows:
    each is the context of the other."""

    guides_by_context: ClassVar[bool] = False

    def embed(self, params, context_codes, conditions, is_dropped, lengths):
        return {"condition": jnp.where(is_dropped[:, 0], 4, conditions["instrument"])}

    def logits(self, params, embedded, target_codes, level):
        other = jnp.concatenate(jnp.split(target_codes, 2)[::-1])
        return super().logits(
            params, embedded | {"context": other}, target_codes, level
        )


@dataclasses.dataclass(frozen=True)
class OracleNetwork:
    """Knows the answer: params["answer"] of the context's code.  Its logits are
    params["strength"] there and 0 elsewhere; strength 0 knows nothing."""

    num_codebooks: int
    codebook_size: int
    keeps_prefix: ClassVar[bool] = False
    guides_by_context: ClassVar[bool] = True

    def embed(self, params, context_codes, conditions, is_dropped, lengths):
        return params["answer"][context_codes]

    def prepare(self, params):
        return params

    def logits(self, params, embedded, target_codes, level):
        return params["strength"] * jax.nn.one_hot(
            embedded[:, level], self.codebook_size
        )


def keys_of(*seeds: int) -> jax.Array:
    return jnp.stack([jax.random.key(seed) for seed in seeds])


def inputs(network, batch: int, frames: int, seed: int = 0):
    """Random context codes [B, Q, T], conditions, keys; row b is that of any batch."""
    rows = [np.random.default_rng((seed, b)) for b in range(batch)]
    shape = (network.num_codebooks, frames)
    context = np.stack([r.integers(0, network.codebook_size, shape) for r in rows])
    instrument = np.array([r.integers(0, 4) for r in rows], np.int32)
    return (
        context.astype(np.int32),
        {"instrument": instrument},
        keys_of(*range(seed, seed + batch)),
    )
