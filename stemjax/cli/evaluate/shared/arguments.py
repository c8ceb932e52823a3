"""Arguments of the `evaluate.py` commands that measure files; imports nothing heavy."""

import dataclasses
import enum
from typing import Annotated

import tyro

from stemjax.config.numbers import CheckedNumbers, Seed, whole
from stemjax.io.process.places import OutFile, OutFolder

SelftestClips = whole(8)
CACHE = "~/.cache/stemjax/eval"
"""Default folder of cached analyses."""


class VggishWindows(enum.Enum):
    """How VGGish windows the audio: choices of `--fad-preset`."""

    GOOGLE = "google"
    GOOGLE2018 = "google2018"
    GUDGUD = "gudgud"


class NoteTranscriber(enum.Enum):
    """Note transcribers of MIRDD: choices of `--notes`."""

    SALIENCE = "salience"
    BASIC_PITCH = "basic-pitch"


class SingleMetric(enum.Enum):
    """Metrics that `score --only` can measure alone."""

    FAD = "fad"
    MIRDD = "mirdd"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PopulationArguments:
    """Two folders of stems, paired by file name."""

    real: str = ""
    """Folder of real stems. Empty: RUN/real."""
    generated: str = ""
    """Folder of generated stems. Empty: RUN/generated."""
    run: str = ""
    """Folder that `generate` wrote, with real/, generated/ and context/."""
    cache: str = CACHE
    """Folder of cached analyses; clips are identified by content, not by name."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EmbeddingArguments:
    """How stems are embedded for FAD."""

    vggish: str = ""
    """VGGish weights (.safetensors or .pth). Empty: search the usual folders.
    Weights are never downloaded; without them FAD is n/a."""
    fad_preset: Annotated[VggishWindows, tyro.conf.EnumChoicesFromValues] = (
        VggishWindows.GOOGLE
    )
    """How VGGish windows the audio; see docs/metrics.md."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoreArguments(EmbeddingArguments, PopulationArguments):
    """Score generated against real stems: FAD, FD-logmel, FD-codec, MIRDD.

    Files are paired by name (<id>.wav, .flac, .ogg or .mp3) and may have any rate."""

    context: str = ""
    """Folder of contexts, needed by MIRDD. Empty: RUN/context."""
    out: OutFolder = ""
    """Folder for metrics.json and report.md. Optional with --only."""
    only: Annotated[SingleMetric | None, tyro.conf.EnumChoicesFromValues] = None
    """Measure this metric alone and print it in one line."""
    require: tuple[str, ...] = ()
    """Metrics that must be available, such as fad; otherwise the command fails."""
    codec: str = "codec-mini"
    """Codec of FD-codec: bundled name or folder."""
    notes: Annotated[NoteTranscriber, tyro.conf.EnumChoicesFromValues] = (
        NoteTranscriber.SALIENCE
    )
    """Note transcriber of MIRDD: this project's, or Basic Pitch if installed."""
    descriptors_from: str = ""
    """Folder of MIRDD descriptors made elsewhere: DIR/{real,generated}/<id>.json.
    They replace this project's analysis; see docs/evaluation.md."""
    scores: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME=FILE.csv: per-example scores made elsewhere, such as COCOLA.
    Columns id,value and, for the ratio to real stems, real."""
    drop_silent: bool = False
    """Leave out examples whose generated stem is silent."""
    seed: Seed = 0
    """Seed of the jackknife groups and of MIRDD's null distribution."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerClipArguments(EmbeddingArguments, PopulationArguments):
    """Rank generated clips by their distance from the real stems, farthest first."""

    out: OutFile
    """CSV file to write."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportArguments:
    """Put several scores into one table, with paired differences from the first."""

    scores: Annotated[
        tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="SCORE ...")
    ]
    """metrics.json files, or folders that hold one."""
    name: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Name of a row, one per score in order. Empty: the scores' folder names."""
    out: OutFolder
    """Folder for report.md, .csv, .tex, .json and .png."""
    force: bool = False
    """Include scores of different examples, with a footnote."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompareArguments:
    """Compare two scores of the same examples by paired differences."""

    a: str
    """First score: a metrics.json file, or a folder that holds one."""
    b: str
    """Second score. Differences are a - b."""
    out: OutFile = ""
    """JSON file for the differences."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SelftestArguments(CheckedNumbers):
    """Check the metrics on synthetic clips whose music is known."""

    n: SelftestClips = 120
    """Number of clips in each population; the thresholds hold from 120 on."""
    out: OutFile = ""
    """JSON file for the measured values."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvertVggishArguments:
    """Convert torchvggish's weights after checking them against reference values."""

    source: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SOURCE")]
    """The published file vggish-10086976.pth; torch is not needed."""
    out: Annotated[tyro.conf.Positional[OutFile], tyro.conf.arg(metavar="OUT")]
    """The .safetensors file to write."""
