"""What `listening` and the commands about it can be asked; plain values."""

import dataclasses
from typing import Annotated

import tyro

from stemjax.eval.commands.decoding_arguments import Decoding


@dataclasses.dataclass(frozen=True, kw_only=True)
class Listening(Decoding):
    """Does a model listen? Beats, chroma, instrument and context gain of its stems
    between those of real stems and of real stems from other songs."""

    out: str = "outputs/listening"
    """Folder of clips and results; the same command goes on where it stopped."""
    n: int = 0
    """Examples; 0: 60."""
    seconds: float = 10.0
    """Length of a crop."""
    also: tuple[str, ...] = ()
    """Presets measured beside the model's own settings, such as best naive."""
    steps: tuple[int, ...] = ()
    """Steps per level for all of them, coarse first; else those of the settings."""
    classifier: str = ""
    """Folder of `classifier`; else one is trained on the data, once."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Classifier:
    """Fit the classifier of instruments on real stems, and measure it on other songs."""

    data: str
    """Prepared folder."""
    out: str
    """Release folder to write."""
    per_category: int = 300
    """Clips of 10 s of each category, at most."""
    seed: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gallery:
    """Answers to recordings for a web page: ogg, pictures, figures, index.md."""

    contexts: tuple[str, ...]
    """Recordings, or folders of them."""
    instruments: str = "bass,drums,piano,guitar,strings,synth-lead"
    """Categories, with commas."""
    out: str = "docs/gallery"
    """Folder to write."""
    work: str = "outputs/gallery"
    """Folder of stems as decoded; the same command goes on where it stopped."""
    checkpoint: str = "stemgen-mini"
    """Bundled name, release folder or training workdir."""
    codec: str = ""
    """Codec folder, for a checkpoint whose codec is not bundled."""
    preset: str = ""
    """best, naive, fast, vampnet, soundstorm; else the release's own."""
    seconds: float = 10.0
    """How much of each recording's beginning."""
    seed: int = 0
    """Of decoding."""
    batch_size: int = 4
    """Stems decoded together; results do not depend on it."""
    data: str = ""
    """Prepared folder on whose real stems the classifier of instruments is trained."""
    classifier: str = ""
    """Folder of `classifier`, in its place; with neither, nobody is asked."""
    cache: str = "~/.cache/stemjax/eval"
    """Folder of analyses; a clip is analysed once, whatever its name."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Results:
    """Put what the other commands wrote onto one page, with their pictures."""

    source: Annotated[str, tyro.conf.arg(name="from")]
    """Folder that holds their results, at any depth: listening.md, tables.md, tune.md,
    sweep.md, report.md, context_gain.json, codec_table.json."""
    out: str = "docs/results.md"
    """File to write; pictures go into a folder of its name beside it."""
    words: str = ""
    """Markdown to stand before the results; its decimal numbers must be theirs."""
