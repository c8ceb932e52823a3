"""What `python evaluate.py` can be asked; plain values, nothing heavy is imported."""

import dataclasses
import enum
from typing import Annotated

import tyro


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContextGain:
    """Does a model listen? Cross-entropy of held-out targets with another song's
    context minus with their own; 95 % intervals by a jackknife over songs."""

    data: str
    """Token store of the model's codec, or prepared folder."""
    checkpoint: str = "stemgen-mini"
    """Bundled name, release folder or training workdir."""
    codec: str = ""
    """Codec folder, for a checkpoint whose codec is not bundled."""
    split: str = "test"
    pairs: int = 100
    """Held-out pairs."""
    batch_size: int = 10
    seed: int = 0
    shuffle_weights: bool = False
    """Measure a control: the same weights, shuffled. It must score 0."""
    against: str = ""
    """Another checkpoint of the same codec, measured on the same pairs: the paired
    difference is printed too."""
    out: str = ""
    """JSON file to write the report to."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecTable:
    """What a codec loses, beside an untrained one, silence, Opus and k-means."""

    data: str
    """Prepared folder."""
    codec: str = "codec-mini"
    """Bundled name or folder."""
    split: str = "test"
    clips: int = 64
    """Held-out clips; as many of the training split fit the k-means codec."""
    fit_data: str = ""
    """Prepared folder whose training split fits it, where --data has none."""
    seconds: float = 5.0
    """Length of a clip."""
    seed: int = 0
    out: str = ""
    """JSON file to write the rows to; beside it a picture of the first clips."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MakeManifest:
    """Draw evaluation pairs: one JSON row each; fewer rows are the first of more."""

    data: str
    """Prepared folder."""
    out: str
    """File to write, by custom manifest.jsonl."""
    n: int = 1000
    """Pairs."""
    split: str = "test"
    seconds: float = 20.0
    """Length of a crop."""
    seed: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Generate:
    """Answer a manifest's contexts: OUT/{real,generated,context}/<id>.flac."""

    manifest: str
    """What `make-manifest` wrote."""
    data: str
    """The prepared folder the manifest was made from."""
    out: str
    """Folder of the run; the same command goes on where it stopped."""
    checkpoint: str = "stemgen-mini"
    """Bundled name, release folder or training workdir."""
    codec: str = ""
    """Codec folder, for a checkpoint whose codec is not bundled."""
    preset: str = ""
    """best, naive, fast, vampnet, soundstorm; else the release's own."""
    n: int = 0
    """Take the first n rows; 0: all."""
    shard: str = "0/1"
    """i/N: rows whose number divided by N leaves i, for arrays of jobs."""
    batch_size: int = 4
    """Stems decoded together; results do not depend on it."""


class Windows(enum.Enum):
    """How VGGish is applied: presets of `--fad-preset`."""

    GOOGLE = "google"
    GOOGLE2018 = "google2018"
    GUDGUD = "gudgud"


class Notes(enum.Enum):
    """Transcribers of MIRDD: `--notes`."""

    SALIENCE = "salience"
    BASIC_PITCH = "basic-pitch"


class OneMetric(enum.Enum):
    """Metrics that `score --only` measures alone."""

    FAD = "fad"
    MIRDD = "mirdd"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Populations:
    """Two folders of stems, paired by name."""

    real: str = ""
    """Folder of real stems; default RUN/real."""
    generated: str = ""
    """Folder of generated stems; default RUN/generated."""
    run: str = ""
    """Folder that `generate` wrote: its three folders."""
    cache: str = "~/.cache/stemjax/eval"
    """Folder of analyses; a clip is analysed once, whatever its name."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Statistics:
    """What is counted, and by which groups."""

    drop_silent: bool = False
    """Leave out examples whose generated stem is silent; else they are counted."""
    seed: int = 0
    """Of the jackknife's groups and the null's swaps."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Embedded:
    """How stems become vectors."""

    vggish: str = ""
    """Weights of VGGish for FAD; else they are looked for, never downloaded."""
    fad_preset: Annotated[Windows, tyro.conf.EnumChoicesFromValues] = Windows.GOOGLE


@dataclasses.dataclass(frozen=True, kw_only=True)
class Music:
    """How mixes become music."""

    context: str = ""
    """Folder of contexts, for MIRDD; default RUN/context."""
    notes: Annotated[Notes, tyro.conf.EnumChoicesFromValues] = Notes.SALIENCE
    """This project's transcription, or Basic Pitch where it is installed."""
    descriptors_from: str = ""
    """Folder of your own transcribers' results, DIR/{real,generated}/<id>.json, in place
    of this project's analysis; see docs/evaluation.md."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Score(Statistics, Embedded, Music, Populations):
    """Distances of generated from real stems: FAD, FD-logmel, FD-codec, MIRDD.

    Files are paired by name, <id>.wav, flac, ogg or mp3, of any rate."""

    out: str = ""
    """Folder for metrics.json and report.md; with --only it may be left out."""
    only: Annotated[OneMetric | None, tyro.conf.EnumChoicesFromValues] = None
    """Measure one metric alone and print it in one line: fad (an error without VGGish's
    weights) or mirdd."""
    codec: str = "codec-mini"
    """Codec of FD-codec: bundled name or folder."""
    require: tuple[str, ...] = ()
    """Metrics without which the command fails, such as fad."""
    scores: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME=FILE.csv: a score of each example made elsewhere, such as COCOLA; columns
    id,value and, for a ratio, real. May be given several times."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PerClip(Embedded, Populations):
    """The distance of each generated clip from the real population, worst first: which
    ones to listen to."""

    out: str
    """CSV file to write."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Report:
    """One table of several scores of the same examples, and their differences from the
    first."""

    scores: tyro.conf.Positional[tuple[str, ...]]
    """metrics.json files, or their folders."""
    name: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Name of a row, once for each score; else that of its folder."""
    out: str
    """Folder for report.md, csv, tex, json and png."""
    force: bool = False
    """Put scores of other examples in one table nevertheless, with a footnote."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compare:
    """Paired differences of two scores on the same examples."""

    a: str
    """metrics.json of a score, or its folder."""
    b: str
    out: str = ""
    """JSON file to write the differences to."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvertVggish:
    """Convert torchvggish's weights, if they pass the official smoke test."""

    source: tyro.conf.Positional[str]
    """vggish-10086976.pth; read with and without torch."""
    out: tyro.conf.Positional[str]
    """A .safetensors file."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Selftest:
    """Measure the evaluation itself on synthetic clips, against its bars."""

    n: int = 120
    """Clips of each population; the bars are meant for 120."""
    out: str = ""
    """JSON file to write the figures to."""
