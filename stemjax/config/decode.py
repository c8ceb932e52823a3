"""Settings of iterative decoding (paper, sec. 2.1.1, 2.1.2, 3.2)."""

import dataclasses
import enum


class Guidance(enum.Enum):
    NONE = "none"  # log p(t | a, i): 1 forward
    SINGLE = "single"  # eq. 2: full and null, 2 forwards
    MULTI = "multi"  # eq. 3: one branch per source and null, S + 1 forwards


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecodeConfig:
    """Iterative decoding; the defaults are the paper's best setting (sec. 3.2.1).

    `steps` and `guidance` are static (changing them recompiles); all else is traced.
    """

    steps: tuple[int, ...] = (128, 64, 32, 32)  # iterations per level, coarse first
    guidance: Guidance = Guidance.MULTI
    scales: tuple[float, ...] = (3.0, 3.0)
    """lambda of eq. 3: context audio, then one per condition. SINGLE uses the first."""
    w_conf: float = 0.1  # w_c of eq. 1
    w_causal: float = 0.1  # w_s
    w_rand: float = 1.0  # w_r
    temperature: float = 1.0
    temperature_final: float = 1.0  # linear anneal inside each level (A10)
    w_rand_final: float = 1.0  # factor on w_rand at a level's last step (A13)
    top_p: float = 1.0  # nucleus filter; 1 = none (A10)

    def __post_init__(self):
        if not self.steps or min(self.steps) < 1:
            raise ValueError(f"steps must all be >= 1, got {self.steps}")
        if min(self.temperature, self.temperature_final) <= 0:
            raise ValueError("temperature and temperature_final must be > 0")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1], got {self.top_p}")

    def steps_for(self, num_codebooks: int) -> tuple[int, ...]:
        """Steps per level for a codec of Q levels; the last entry repeats."""
        padded = self.steps + (self.steps[-1],) * num_codebooks
        return padded[:num_codebooks]


BEST = DecodeConfig()
NAIVE = dataclasses.replace(BEST, guidance=Guidance.NONE, w_causal=0.0)
FAST = dataclasses.replace(BEST, steps=(8, 4, 2, 2))  # 16 in all, for a CPU
VAMPNET = dataclasses.replace(BEST, w_causal=0.0)  # paper, sec. 3.2.1
SOUNDSTORM = dataclasses.replace(
    BEST, guidance=Guidance.NONE, w_conf=1.0, w_causal=0.0, w_rand=0.0
)  # confidence alone ranks

DECODE_PRESETS: dict[str, DecodeConfig] = {
    "best": BEST,
    "naive": NAIVE,
    "fast": FAST,
    "vampnet": VAMPNET,
    "soundstorm": SOUNDSTORM,
}
