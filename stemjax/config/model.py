"""Architecture and training objective of the StemGen model (StemGen, sec. 2.1, 3)."""

import dataclasses
import enum

from stemjax.config.categories import CATEGORIES
from stemjax.config.numbers import (
    CheckedNumbers,
    Count,
    Fraction,
    Layers,
    Levels,
    Positive,
    Width,
)


class Precision(enum.Enum):
    """Type of matrix products; norms, softmax, losses and RoPE are always float32."""

    AUTO = "auto"
    """bfloat16 on accelerators, float32 on a CPU."""
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformerConfig(CheckedNumbers):
    """Bidirectional LLaMA-type transformer (Assumption A8)."""

    width: Width = 1024
    """Width D of the embeddings."""
    layers: Layers = 20
    """Layers L."""
    heads: Width = 16
    """Attention heads H."""
    mlp_hidden: Count = 2736
    """Hidden width of the SwiGLU: 8/3 D rounded up to a multiple of 8."""
    rope_theta: Positive = 10_000.0
    """Base of the rotary positions' wavelengths."""
    precision: Precision = Precision.AUTO
    """Type of matrix products."""
    rematerialise: bool = False
    """Recompute each layer's activations in the backward pass, to save memory."""

    def __post_init__(self):
        super().__post_init__()
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width {self.width} must be a multiple of 2 x heads = {2 * self.heads}"
            )


class ConditionKind(enum.Enum):
    """Type of a condition's values."""

    CATEGORICAL = "categorical"
    """An index in [0, size); null is the index `size`."""
    VECTOR = "vector"
    """A float vector of length `size`; null is a learned vector."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Condition(CheckedNumbers):
    """One row of the table of conditions other than audio."""

    name: str
    """Name, used in parameters and batches."""
    kind: ConditionKind
    """Type of its values."""
    size: Width
    """Number of categories, or length of the vector."""

    def __post_init__(self):
        super().__post_init__()
        if not self.name.isidentifier():
            raise ValueError(f"name {self.name!r} must be a word")


INSTRUMENT = Condition(
    name="instrument", kind=ConditionKind.CATEGORICAL, size=len(CATEGORIES)
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StemGenConfig(CheckedNumbers):
    """Two streams of summed code embeddings and one transformer (StemGen, fig. 3).

    `num_codebooks`, `codebook_size` and `frame_rate` are the codec's: a run sets them
    from the codec's config (`stemjax.config.presets.fit_to_codec`).
    """

    num_codebooks: Levels = 4
    """Codebook levels Q."""
    codebook_size: Width = 2048
    """Codes per codebook, V."""
    frame_rate: Positive = 50.0
    """Frames per second."""
    transformer: TransformerConfig = TransformerConfig()
    """Architecture of the transformer."""
    conditions: tuple[Condition, ...] = (INSTRUMENT,)
    """Conditions other than the context audio."""
    shared_embeddings: bool = False
    """Use one embedding table for context and target (Assumption A6)."""
    joint: bool = False
    """Also predict the context's codes, p(t, a) (Assumption A24)."""

    def __post_init__(self):
        super().__post_init__()
        names = [condition.name for condition in self.conditions]
        if len(set(names)) < len(names) or len(names) > 64:
            raise ValueError("conditions must be up to 64 with different names")

    @property
    def num_sources(self) -> int:
        """Guidance sources S: the context audio, then one per condition."""
        return 1 + len(self.conditions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StemGenObjective(CheckedNumbers):
    """Masking and dropout of StemGen training (StemGen, sec. 2.1; SoundStorm)."""

    context_dropout: Fraction = 0.1
    """Probability of dropping the context (Assumption A16)."""
    condition_dropout: Fraction = 0.1
    """Probability of dropping each condition, independently."""
    level_decay: Positive = 1.0
    """Odds of training a level relative to the level before it (Assumption A1)."""
    keep_prefix: bool = False
    """Leave a random prefix unmasked, as SoundStorm does (Assumption A3)."""
    codebook_init: bool = False
    """Initialize code embeddings from the codec's codebooks (Assumption A25)."""
