"""Tables of a codec's quality and code use as markdown, and a picture of its clips."""

import math
import os
from collections.abc import Sequence

import numpy as np

from stemjax.arrays.mel import mel_power
from stemjax.codec.codec import Codec
from stemjax.eval.reports.report import as_markdown
from stemjax.eval.studies.code_use import LevelUse
from stemjax.eval.studies.codec_table import CoderScore
from stemjax.io.picture import save_spectrograms

CODER_HEADER = (
    "coder",
    "mel distance (decades)",
    "SI-SDR (dB)",
    "kbit/s",
    "level error (dB)",
    "within 1 dB",
    "clips",
)
LEVEL_HEADER = ("level", "perplexity", "codes in use", "kept after a 2 ms shift")


def coders_markdown(scores: Sequence[CoderScore]) -> str:
    """Coders as a table."""

    def number(value: float, digits: int) -> str:
        return "n/a" if math.isnan(value) else f"{value:.{digits}f}"

    rows = [
        [
            s.name,
            number(s.mel, 3),
            number(s.si_sdr, 2),
            number(s.kbps, 2),
            number(s.level_error, 2),
            number(s.small_level_errors, 2),
            str(s.clips),
        ]
        for s in scores
    ]
    return as_markdown(CODER_HEADER, rows)


def levels_markdown(levels: Sequence[LevelUse]) -> str:
    """Use of the codes of each level as a table."""
    rows = [
        [str(x.level), f"{x.perplexity:.0f}", str(x.used), f"{x.kept:.2f}"]
        for x in levels
    ]
    return as_markdown(LEVEL_HEADER, rows)


def save_picture(
    path: str | os.PathLike, codec: Codec, clips: Sequence[np.ndarray]
) -> None:
    """Draw mel-spectrograms of clips [N] of one length, before and after the codec."""
    rate = codec.config.sample_rate
    originals = np.stack(clips)
    decoded = codec.decode(codec.encode(originals))[:, : originals.shape[1]]
    rows = [
        (f"clip {number}{suffix}", mel_power(audio, sample_rate=rate))
        for number, pair in enumerate(zip(originals, decoded, strict=True), 1)
        for suffix, audio in zip(("", " through the codec"), pair, strict=True)
    ]
    save_spectrograms(path, rows, seconds=originals.shape[1] / rate)
