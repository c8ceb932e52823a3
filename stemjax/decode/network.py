"""The narrow door between the decoding loop and a model: embed once, then logits of one
level, both batch-first.  The loop knows nothing else of StemGen; tests pass a table."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import jax

from stemjax.config.model import StemGenConfig
from stemjax.models import stemgen


class Network(Protocol):
    """Static and hashable (a frozen dataclass): it is part of the compiled key."""

    @property
    def num_codebooks(self) -> int: ...  # Q

    @property
    def codebook_size(self) -> int: ...  # V; also the id of MASK

    def embed(
        self,
        params: Any,
        context_codes: jax.Array,
        conditions: Mapping[str, jax.Array],
        is_dropped: jax.Array,
        lengths: jax.Array,
    ) -> Any:
        """What does not change while decoding, for R rows.

        context_codes [R, Q, T], conditions {name: [R] or [R, size]}, is_dropped [R, S],
        lengths [R] -> pytree of arrays with leading axis R.
        """
        ...

    def prepare(self, params: Any) -> Any:
        """The parameters as `logits` takes them; done once for many steps."""
        ...

    def logits(
        self, params: Any, embedded: Any, target_codes: jax.Array, level: jax.Array
    ) -> jax.Array:
        """Logits of one level, a traced [] int32.

        target_codes [R, Q, T], V = MASK -> [R, T, V].
        """
        ...


@dataclasses.dataclass(frozen=True)
class StemGenNetwork:
    """StemGen as a `Network`; frames behind an example's length are not attended to."""

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
