"""Interface between the decoding loop and a model.

The loop needs three functions: `embed` the context once, `prepare` the parameters, and
the `logits` of one level.  All are batch-first.  Tests implement it with lookup tables.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp

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

    @property
    def guides_by_context(self) -> bool:
        """Whether the context is a guidance source, the first, before the conditions."""
        ...

    @property
    def keeps_prefix(self) -> bool:
        """Whether the leading frames that are kept whole are seen on every level, as in
        training (Assumption A3)."""
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
          is_dropped: [R, S] bool, guidance sources replaced by their null embedding.
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
    """StemGen as a `Network`: a stem for a given context.

    Attention ignores frames past an example's length."""

    cfg: StemGenConfig
    keeps_prefix: bool = False
    """Whether the model was trained with `objective.keep_prefix`."""

    @property
    def num_codebooks(self) -> int:
        return self.cfg.num_codebooks

    @property
    def codebook_size(self) -> int:
        return self.cfg.codebook_size

    @property
    def guides_by_context(self) -> bool:
        return True

    def embed(self, params, context_codes, conditions, is_dropped, lengths):
        cfg = self.cfg
        embedded = {
            "condition": stemgen.embed_conditions(
                params, cfg, conditions, is_dropped[:, 1:]
            ),
            "lengths": lengths,
        }
        if cfg.joint:  # what is shown of the context depends on the level
            dropped = {"codes": context_codes, "is_dropped": is_dropped[:, 0]}
            return embedded | {"context": dropped}
        context = stemgen.embed_context(params, cfg, context_codes, is_dropped[:, 0])
        return embedded | {"context": context}

    def prepare(self, params):
        return stemgen.cast_kernels(params, self.cfg)

    def logits(self, params, embedded, target_codes, level):
        cfg, context = self.cfg, embedded["context"]
        if cfg.joint:
            shown = stemgen.shown_context(cfg, context["codes"], level)
            context = stemgen.embed_context(params, cfg, shown, context["is_dropped"])
        return stemgen.apply_level(
            params,
            cfg,
            target_codes=target_codes,
            level=level,
            **embedded | {"context": context},
        )


@dataclasses.dataclass(frozen=True)
class JointNetwork(StemGenNetwork):
    """A joint StemGen as a `Network` whose rows are streams (Assumption A24).

    The first half of the rows are stems, the second half their contexts; both are
    generated, so `context_codes` are not read and the context guides nothing.
    """

    @property
    def guides_by_context(self) -> bool:
        return False

    def embed(self, params, context_codes, conditions, is_dropped, lengths):
        condition = stemgen.embed_conditions(params, self.cfg, conditions, is_dropped)
        return {"condition": condition, "lengths": lengths}

    def logits(self, params, embedded, target_codes, level):
        cfg = self.cfg
        stems, contexts = jnp.split(target_codes, 2)
        logits = stemgen.apply_joint(
            params,
            cfg,
            context=stemgen.embed_context(params, cfg, contexts),
            target_codes=stems,
            level=level,
            **jax.tree.map(lambda rows: rows[: len(stems)], embedded),
        )
        return jnp.concatenate(logits)
