"""Arguments of the `evaluate.py` commands that load models, codecs or data sets."""

import dataclasses
from typing import Annotated, Literal

import tyro

from stemjax.cli.evaluate.shared.arguments import (
    CACHE,
    EmbeddingArguments,
    NoteTranscriber,
)
from stemjax.config.numbers import (
    CheckedNumbers,
    ClipSeconds,
    Count,
    Examples,
    Seed,
    Steps,
)
from stemjax.config.sweeps import FAST_SECONDS
from stemjax.io.process.places import OutFile, OutFolder


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelArguments(CheckedNumbers):
    """Which model to load."""

    checkpoint: str = "stemgen-mini"
    """Model: bundled name, release folder or training workdir."""
    codec: str = ""
    """Codec folder, for a model whose codec is not bundled."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DecodingArguments(ModelArguments):
    """Arguments shared by `tables`, `sweep` and `listening`."""

    data: str = ""
    """Prepared folder. Empty: a few synthetic songs, to try the command."""
    split: str = "test"
    """Split to draw examples from: train, validation or test."""
    n: Examples | None = None
    """Number of examples."""
    seconds: ClipSeconds = 20.0
    """Length of a crop in seconds."""
    seed: Seed = 0
    """Seed of the examples, of their settings and of the jackknife groups."""
    seeds: Count = 1
    """Stems generated per example with different seeds; values are means."""
    fast: bool = False
    """Quick trial: 16 decoding steps and crops of 5 s."""
    batch_size: Count = 4
    """Stems decoded together; it does not change the stems."""
    shard: str = "0/1"
    """i/N: decode only examples k with k mod N = i, and do not score.
    When all shards are done, run the command without it."""
    dry_run: bool = False
    """Print the estimated cost on this machine and stop."""
    out: OutFolder = "outputs/evaluation"
    """Folder of clips and results. Running the command again resumes it."""
    cache: str = CACHE
    """Folder of cached analyses; clips are identified by content, not by name."""

    @property
    def crop_seconds(self) -> float:
        """Length of a crop in seconds, with `fast` taken into account."""
        return FAST_SECONDS if self.fast else self.seconds


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoredDecodingArguments(DecodingArguments, EmbeddingArguments):
    """Arguments shared by `tables` and `sweep`."""

    notes: Annotated[NoteTranscriber, tyro.conf.EnumChoicesFromValues] = (
        NoteTranscriber.SALIENCE
    )
    """Note transcriber of MIRDD: this project's, or Basic Pitch if installed."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TablesArguments(ScoredDecodingArguments):
    """Reproduce the paper's Tables 1 to 3 on a model, with errors and anchors."""

    numbers: Annotated[
        tyro.conf.Positional[tuple[Literal[1, 2, 3], ...]],
        tyro.conf.arg(metavar="TABLE ..."),
    ] = (1, 2, 3)
    """Numbers of the paper's tables to make: 1, 2, 3 or several of them."""
    n: Examples | None = None
    """Number of examples, at most; by default the paper's 1000 and 400."""
    steps: tuple[Steps, ...] = ()
    """Decoding steps per codec level, coarse first. Empty: the paper's."""
    against: str = ""
    """Second model of Table 3: bundled name, release folder or training workdir."""
    against_data: str = ""
    """Prepared folder of the second model. Empty: --data."""
    against_codec: str = ""
    """Codec folder of the second model, if its codec is not bundled."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepArguments(ScoredDecodingArguments):
    """Score a grid of decoding settings."""

    grid: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="GRID")]
    """presets, guidance, causal-bias, confidence, temperature or steps.
    Or a TOML file; see docs/evaluation.md."""
    n: Examples = 400
    """Number of examples."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ListeningArguments(DecodingArguments):
    """Measure how well stems fit their contexts: beats, chroma, instrument, context
    gain, between real stems of other songs (0) and the right real stems (1)."""

    n: Examples = 60
    """Number of examples."""
    seconds: ClipSeconds = 10.0
    """Length of a crop in seconds."""
    out: OutFolder = "outputs/listening"
    """Folder of clips and results. Running the command again resumes it."""
    also: tuple[str, ...] = ()
    """Decoding presets to measure beside the model's own settings, e.g. best naive."""
    steps: tuple[Steps, ...] = ()
    """Decoding steps per codec level, coarse first. Empty: each setting's own."""
    classifier: str = ""
    """Folder that `classifier` wrote. Empty: train one on the data and cache it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifierArguments(CheckedNumbers):
    """Train the instrument classifier on real stems and measure its accuracy."""

    data: str
    """Prepared folder with a train split and at least one other."""
    out: OutFolder
    """Release folder to write."""
    per_category: Count = 300
    """Clips of 10 s per instrument category, at most."""
    seed: Seed = 0
    """Seed that draws the clips."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MakeManifestArguments(CheckedNumbers):
    """Draw evaluation pairs of context and stem, one JSON line each."""

    data: str
    """Prepared folder."""
    out: OutFile
    """File to write, usually manifest.jsonl."""
    n: Count = 1000
    """Number of pairs; a smaller n gives the first rows of a larger one."""
    split: str = "test"
    """Split to draw pairs from: train, validation or test."""
    seconds: ClipSeconds = 20.0
    """Length of a crop in seconds."""
    seed: Seed = 0
    """Seed that draws the pairs."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class GenerateArguments(ModelArguments):
    """Generate a stem for each pair of a manifest.

    Writes OUT/real/<id>.flac, OUT/generated/<id>.flac and OUT/context/<id>.flac."""

    manifest: str
    """File that `make-manifest` wrote."""
    data: str
    """Prepared folder that the manifest was made from."""
    out: OutFolder
    """Folder of the run. Running the command again resumes it."""
    preset: str = ""
    """Decoding preset: best, naive, fast, vampnet or soundstorm.
    Empty: the settings of the release."""
    n: Count | None = None
    """Number of manifest rows to use, from the first; by default all."""
    shard: str = "0/1"
    """i/N: generate only rows k with k mod N = i, for arrays of jobs."""
    batch_size: Count = 4
    """Stems decoded together; it does not change the stems."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContextGainArguments(ModelArguments):
    """Measure context gain: cross-entropy of held-out stems with another song's
    context minus that with the right context, in nats per token."""

    data: str
    """Prepared folder, or token store of the model's codec."""
    split: str = "test"
    """Split to draw pairs from: train, validation or test."""
    n: Count = 100
    """Number of held-out pairs."""
    batch_size: Count = 10
    """Pairs in one forward pass."""
    seed: Seed = 0
    """Seed of the pairs and of --shuffle-weights."""
    shuffle_weights: bool = False
    """Control: shuffle the model's weights first. The gain must be 0."""
    against: str = ""
    """Second checkpoint with the same codec, measured on the same pairs.
    Adds the paired difference to the report."""
    out: OutFile = ""
    """JSON file for the report."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecTableArguments(CheckedNumbers):
    """Compare a codec with an untrained one, silence, Opus and k-means."""

    data: str
    """Prepared folder of the held-out clips."""
    codec: str = "codec-mini"
    """Codec: bundled name or folder."""
    split: str = "test"
    """Split of the held-out clips: train, validation or test."""
    n: Count = 64
    """Number of held-out clips; as many training clips fit the k-means codec."""
    seconds: ClipSeconds = 5.0
    """Length of a clip in seconds."""
    seed: Seed = 0
    """Seed that draws the clips."""
    fit_data: str = ""
    """Prepared folder whose train split fits the k-means codec. Empty: --data."""
    out: OutFile = ""
    """JSON file for the rows; a picture of the first clips is written beside it."""
