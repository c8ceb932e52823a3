"""Architecture of the StemGen model and its training objective (paper, sec. 2.1, 3)."""

import dataclasses
import enum

from stemjax.config.categories import CATEGORIES


class Precision(enum.Enum):
    """Type of matrix products; norms, softmax, losses and RoPE are always float32."""

    AUTO = "auto"  # bfloat16 on accelerators, float32 on a CPU
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Bidirectional LLaMA-type transformer (Assumption A8)."""

    width: int = 1024  # D
    layers: int = 20  # L
    heads: int = 16  # H
    mlp_hidden: int = 2736  # 8/3 D rounded up to a multiple of 8
    rope_theta: float = 10_000.0
    precision: Precision = Precision.AUTO
    rematerialise: bool = False

    def __post_init__(self):
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width {self.width} must be a multiple of 2 x heads = {2 * self.heads}"
            )


class ConditionKind(enum.Enum):
    CATEGORICAL = "categorical"  # an index in [0, size); null is index `size`
    VECTOR = "vector"  # a float vector of length `size`; null is a learned vector


@dataclasses.dataclass(frozen=True, kw_only=True)
class Condition:
    """One row of the table of non-audio conditions."""

    name: str
    kind: ConditionKind
    size: int


INSTRUMENT = Condition(
    name="instrument", kind=ConditionKind.CATEGORICAL, size=len(CATEGORIES)
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StemGenConfig:
    """Two streams of summed code embeddings into one transformer (paper, fig. 3).

    `num_codebooks`, `codebook_size` and `frame_rate` are the codec's: a run takes
    them from the codec's config, see `stemjax.config.presets.fit_to_codec`.
    """

    num_codebooks: int = 4  # Q
    codebook_size: int = 2048  # V
    frame_rate: float = 50.0  # frames/s
    transformer: TransformerConfig = TransformerConfig()
    conditions: tuple[Condition, ...] = (INSTRUMENT,)
    shared_embeddings: bool = False  # one table for context and target (A6)
    joint: bool = False  # heads for the context too: p(t, a) (A24)

    @property
    def num_sources(self) -> int:
        """Guidance sources S: the context audio, then one per condition."""
        return 1 + len(self.conditions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StemGenObjective:
    """Masking and dropout of StemGen training (paper, sec. 2.1; SoundStorm)."""

    context_dropout: float = 0.1  # A16
    condition_dropout: float = 0.1  # each condition, independently
    level_decay: float = 1.0  # odds of training a level against the one before (A1)
    keep_prefix: bool = False  # SoundStorm's unmasked prefix (A3)
    codebook_init: bool = False  # embeddings start from the codec's codebooks (A25)
