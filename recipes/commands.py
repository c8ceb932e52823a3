"""The command lines of a recipe, as a user would type them."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from recipes.running import ROOT
from stemjax.config.train import OptimConfig

TRAINING_SET = (sys.executable, "-m", "data.training_set")
PREPARE = (sys.executable, "-m", "data.prepare", "--layout", "slakh")
TRAIN = (sys.executable, str(ROOT / "train.py"))
LINES = 200  # of metrics.jsonl for a run
EVALUATIONS = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Songs:
    """What is rendered: the arguments of `python -m data.training_set`."""

    midi: Path | None
    splits: Path | None
    sf2: Sequence[Path]
    versions: int
    composed: int
    composed_seconds: float
    max_seconds: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """One run of train.py."""

    preset: str
    workdir: Path
    data: Path
    steps: int
    batch_size: int
    optim: OptimConfig
    codec: Path | None = None
    init_from: Path | None = None
    continuous_steps: int | None = None  # of a codec that begins without codes
    is_measured: bool = False  # a trial of the speed: nothing but steps


def render(songs: Songs, out: Path) -> list[str]:
    """Songs into `out`/songs, records into `out`/prepared."""
    command = [*TRAINING_SET, "--out", str(out)]
    command += ["--versions", str(songs.versions), "--composed", str(songs.composed)]
    command += ["--composed-seconds", str(songs.composed_seconds)]
    command += ["--max-seconds", str(songs.max_seconds)]
    if songs.midi:
        command += ["--midi", str(songs.midi)]
    if songs.midi and songs.splits:
        command += ["--splits", str(songs.splits)]
    for path in songs.sf2:
        command += ["--sf2", str(path)]
    return command


def prepare(out: Path) -> list[str]:
    """Records of the songs that are there, where not all could be rendered."""
    folders = ["--input", str(out / "songs"), "--out", str(out / "prepared")]
    return [*PREPARE, *folders]


def train(run: Training) -> list[str]:
    """One run; the same command goes on where it was stopped."""
    optim = run.optim
    every = max(1, run.steps // EVALUATIONS)
    command = [*TRAIN, run.preset, "--workdir", str(run.workdir)]
    command += ["--data", str(run.data), "--steps", str(run.steps)]
    command += ["--batch-size", str(run.batch_size)]
    command += ["--optim.peak-lr", repr(optim.peak_lr)]
    command += ["--optim.floor", repr(optim.floor)]
    command += ["--optim.warmup-steps", str(optim.warmup_steps)]
    command += ["--optim.hold-steps", str(optim.hold_steps)]
    command += ["--optim.decay-steps", str(optim.decay_steps)]
    lines = 4 if run.is_measured else LINES
    command += ["--loop.log-every", str(max(1, run.steps // lines))]
    command += ["--loop.eval-every", "0" if run.is_measured else str(every)]
    command += ["--loop.checkpoint-every", "0" if run.is_measured else str(every)]
    if run.continuous_steps is not None:
        command += ["--objective.continuous-steps", str(run.continuous_steps)]
    if run.codec:
        command += ["--codec", str(run.codec)]
    if run.init_from:
        command += ["--init-from", str(run.init_from)]
    return command


def tokens(data: Path, codec: Path, out: Path, draws: int, batch: int) -> list[str]:
    """Fill a token store."""
    command = [*TRAIN, "tokens", "--data", str(data)]
    command += ["--codec", str(codec), "--out", str(out), "--draws", str(draws)]
    return [*command, "--crop-seconds", "10", "--batch-size", str(batch)]


def export(workdir: Path, out: Path, name: str, version: str) -> list[str]:
    """A release in bfloat16."""
    command = [*TRAIN, "export", "--workdir", str(workdir)]
    command += ["--out", str(out), "--dtype", "bf16", "--name", name]
    return [*command, "--version", version] if version else command
