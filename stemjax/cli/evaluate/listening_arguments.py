"""What `listening` and the commands about it can be asked; plain values."""

import dataclasses

from stemjax.cli.evaluate.decoding_arguments import Decoding


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
