"""Interface between the decoding loop and a model.

The loop needs three functions: `embed` the context once, `prepare` the parameters, and
the `logits` of one level.  All are batch-first.  Tests implement it with lookup tables.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import jax

from stemjax.config.model import StemGenConfig
from stemjax.models import stemgen


class Network(Protocol):
    """A model that predicts stem tokens.

    Implementations are frozen dataclasses: hashable, and static in jitted programs."""

    @property
    def num_codebooks(self) -> int:
        """Q."""
        ...

    @property
    def codebook_size(self) -> int:
        """V; also the id of the MASK token."""
        ...

    def embed(
        self,
        params: Any,
        context_codes: jax.Array,
        conditions: Mapping[str, jax.Array],
        is_dropped: jax.Array,
        lengths: jax.Array,
    ) -> Any:
        """Embed everything that is constant during decoding, for R rows.

        Args:
          context_codes: [R, Q, T].
          conditions: {name: [R] or [R, size]}.
          is_dropped: [R, S] bool, sources replaced by their null embedding.
          lengths: [R].

        Returns:
          A pytree of arrays with leading axis R.
        """
        ...

    def prepare(self, params: Any) -> Any:
        """Convert the parameters once for many calls of `logits`."""
        ...

    def logits(
        self, params: Any, embedded: Any, target_codes: jax.Array, level: jax.Array
    ) -> jax.Array:
        """Logits [R, T, V] of one level.

        Args:
          target_codes: [R, Q, T], V = MASK.
          level: [] int32, traced.
        """
        ...


@dataclasses.dataclass(frozen=True)
class StemGenNetwork:
    """StemGen as a `Network`.  Attention ignores frames past an example's length."""

    cfg: StemGenConfig

    @property
    def num_codebooks(self) -> int:
        return self.cfg.num_codebooks

    @property
    def codebook_size(self) -> int:
        return self.cfg.codebook_size

    def embed(self, params, context_codes, conditions, is_dropped, lengths):
        cfg = self.cfg
        return {
            "context": stemgen.embed_context(
                params, cfg, context_codes, is_dropped[:, 0]
            ),
            "condition": stemgen.embed_conditions(
                params, cfg, conditions, is_dropped[:, 1:]
            ),
            "lengths": lengths,
        }

    def prepare(self, params):
        return stemgen.cast_kernels(params, self.cfg)

    def logits(self, params, embedded, target_codes, level):
        return stemgen.apply_level(
            params, self.cfg, target_codes=target_codes, level=level, **embedded
        )
