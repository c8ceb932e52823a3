"""What the commands that decode and score many settings can be asked."""

import dataclasses
from typing import Annotated, Literal

import tyro

from stemjax.cli.evaluate.arguments import Embedded, Notes
from stemjax.config.sweeps import FAST_SECONDS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decoding:
    """What they share."""

    data: str = ""
    """Prepared folder; without it a few synthetic songs, to try the command."""
    checkpoint: str = "stemgen-mini"
    """Bundled name, release folder or training workdir."""
    codec: str = ""
    """Codec folder, for a checkpoint whose codec is not bundled."""
    out: str = "outputs/evaluation"
    """Folder of clips and results; the same command goes on where it stopped."""
    n: int = 0
    """Examples at most; 0: as many as are meant."""
    split: str = "test"
    seconds: float = 20.0
    """Length of a crop."""
    fast: bool = False
    """16 decoding steps and crops of 5 s: a trial."""
    seed: int = 0
    """Of the examples, of what they are dealt, and of the jackknife's groups."""
    seeds: int = 1
    """Answers to each example; values are means over them."""
    batch_size: int = 4
    """Stems decoded together; results do not depend on it."""
    shard: str = "0/1"
    """i/N: decode the examples whose number divided by N leaves i, and score nothing;
    run it without when all are done."""
    dry_run: bool = False
    """Print what it would cost, measured on this machine, and stop."""
    cache: str = "~/.cache/stemjax/eval"
    """Folder of analyses; a clip is analysed once, whatever its name."""

    @property
    def crop_seconds(self) -> float:
        """Length of a crop, that of a trial included."""
        return FAST_SECONDS if self.fast else self.seconds


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scoring(Embedded, Decoding):
    """What those share that score by FAD and MIRDD."""

    notes: Annotated[Notes, tyro.conf.EnumChoicesFromValues] = Notes.SALIENCE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tables(Scoring):
    """The paper's Tables 1 to 3 on this model: scores, errors, anchors, orderings."""

    numbers: tyro.conf.Positional[tuple[Literal[1, 2, 3], ...]] = (1, 2, 3)
    """Which."""
    second: str = ""
    """Table 3's other model: bundled name, release folder or training workdir."""
    second_data: str = ""
    """Prepared folder for it, by default the same."""
    second_codec: str = ""
    """Codec folder for it, where its codec is not bundled."""
    steps: tuple[int, ...] = ()
    """Steps per level for all rows, coarse first; else the paper's."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep(Scoring):
    """Scores of a grid of decoding settings, decoded by as few programs as can be."""

    grid: tyro.conf.Positional[str]
    """presets, guidance, causal-bias, confidence, temperature, steps; or a TOML file
    of your own, see docs/evaluation.md."""
