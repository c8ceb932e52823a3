"""Settings of iterative decoding (paper, sec. 2.1.1, 2.1.2, 3.2)."""

import dataclasses
import enum

from stemjax.config.numbers import (
    CheckedNumbers,
    Finite,
    Portion,
    Positive,
    Steps,
)


class Guidance(enum.Enum):
    """Mode of classifier-free guidance (paper, sec. 2.1.2)."""

    NONE = "none"
    """log p(t | a, i); 1 forward pass."""
    SINGLE = "single"
    """Eq. 2: full and null condition; 2 forward passes."""
    MULTI = "multi"
    """Eq. 3: one branch per source, and null; S + 1 forward passes."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecodeConfig(CheckedNumbers):
    """Settings of iterative decoding; the defaults are the paper's best (sec. 3.2.1).

    `steps` and `guidance` are static: changing them recompiles.  The rest is traced.
    """

    steps: tuple[Steps, ...] = (128, 64, 32, 32)
    """Steps per level, coarse first; the last number repeats."""
    guidance: Guidance = Guidance.MULTI
    scales: tuple[Finite, ...] = (3.0, 3.0)
    """Scales (lambda of eq. 3) of the context and the conditions; SINGLE uses the first."""
    w_conf: Finite = 0.1
    """Weight of the confidence in the ranking (w_c of eq. 1)."""
    w_causal: Finite = 0.1
    """Causal bias: weight of early positions (w_s of eq. 1)."""
    w_rand: Finite = 1.0
    """Weight of random noise (w_r of eq. 1)."""
    temperature: Positive = 1.0
    """Sampling temperature at the first step of a level."""
    temperature_final: Positive = 1.0
    """Sampling temperature at the last step of a level; linear in between (A10)."""
    w_rand_final: Finite = 1.0
    """Factor on `w_rand` at the last step of a level; linear in between (A13)."""
    top_p: Portion = 1.0
    """Probability mass of the nucleus filter; 1: no filter (A10)."""

    def __post_init__(self):
        super().__post_init__()
        if not self.steps:
            raise ValueError("steps: give one number or more")

    def steps_for(self, num_codebooks: int) -> tuple[int, ...]:
        """Steps of each level of a codec with Q levels."""
        padded = self.steps + (self.steps[-1],) * num_codebooks
        return padded[:num_codebooks]


BEST = DecodeConfig()
NAIVE = dataclasses.replace(BEST, guidance=Guidance.NONE, w_causal=0.0)
FAST = dataclasses.replace(BEST, steps=(8, 4, 2, 2))
VAMPNET = dataclasses.replace(BEST, w_causal=0.0)
SOUNDSTORM = dataclasses.replace(
    BEST, guidance=Guidance.NONE, w_conf=1.0, w_causal=0.0, w_rand=0.0
)

DECODE_PRESETS: dict[str, DecodeConfig] = {
    "best": BEST,
    "naive": NAIVE,
    "fast": FAST,
    "vampnet": VAMPNET,
    "soundstorm": SOUNDSTORM,
}
"""best: the paper's best setting.  naive: no guidance, no causal bias.  fast: 16 steps,
for a CPU.  vampnet: no causal bias (sec. 3.2.1).  soundstorm: ranks by confidence only."""
