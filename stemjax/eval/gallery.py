"""A gallery of answers for a web page: Vorbis, small pictures, an index in markdown."""

import io
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stemjax.arrays.mel import mel_power
from stemjax.eval import plots
from stemjax.eval.clips import SUFFIXES
from stemjax.eval.report import as_markdown
from stemjax.io.atomic import replacing
from stemjax.io.audio import MIN_SECONDS, read_audio, to_mono
from stemjax.io.errors import UserError
from stemjax.io.picture import FLOOR_DB

LICENCE = "LICENSE"
COLOURS = 32  # of a picture


class Recording(NamedTuple):
    """A context to answer."""

    name: str
    audio: np.ndarray
    """[N] float32 at the model's rate."""


def read_contexts(places: Sequence[str], rate: int, seconds: float) -> list[Recording]:
    """The first seconds of recordings, and of all in folders, by name.

    Raises:
      UserError: no such file, two of one name, or one shorter than 1 s.
    """
    files: list[pathlib.Path] = []
    for place in map(pathlib.Path, places):
        found = sorted(place.iterdir()) if place.is_dir() else [place]
        files += [f for f in found if f == place or f.suffix.lower() in SUFFIXES]
    if not files:
        raise UserError(f"{' '.join(places)}: no wav, flac, ogg or mp3 to answer")
    recordings: dict[str, Recording] = {}
    for file in files:
        if file.stem in recordings:
            raise UserError(f"{file}: another context has its name; rename one")
        audio, own = read_audio(file)
        if len(audio) < MIN_SECONDS * own:
            raise UserError(
                f"{file}: shorter than {MIN_SECONDS:g} s; give a longer one"
            )
        mono = to_mono(audio[: round(seconds * own)], own, rate)
        recordings[file.stem] = Recording(file.stem, mono)
    return [recordings[name] for name in sorted(recordings)]


def licences(places: Sequence[str]) -> dict[str, str]:
    """The texts that came with recordings, by the names they get in a gallery: each
    folder's LICENSE, whose terms a copy has to carry."""
    folders = dict.fromkeys(
        place if place.is_dir() else place.parent for place in map(pathlib.Path, places)
    )
    return {
        f"LICENSE-{folder.resolve().name}": (folder / LICENCE).read_text("utf-8")
        for folder in folders
        if (folder / LICENCE).is_file()
    }


def save_picture(
    path: str | os.PathLike, rows: Sequence[tuple[str, np.ndarray]], rate: int
) -> None:
    """Mel spectrograms of clips [N] below each other on one scale of dB: a small PNG of
    few colours, written whole or not at all.

    rows: title, clip.
    """
    from PIL import Image

    figure = plots.new_figure(5.0, 1.15 * len(rows) + 0.2, "")
    axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    mels = [mel_power(clip, sample_rate=rate, bins=64) for _, clip in rows]
    peak = max(float(mel.max()) for mel in mels) or 1.0
    for axis, (title, clip), mel in zip(axes, rows, mels, strict=True):
        decibels = 10 * np.log10(np.maximum(mel / peak, 10 ** (FLOOR_DB / 10)))
        axis.imshow(
            decibels.T,
            origin="lower",
            aspect="auto",
            extent=(0, len(clip) / rate, 0, mel.shape[1]),
            vmin=FLOOR_DB,
            vmax=0,
            cmap="magma",
        )
        axis.set_title(title, loc="left", fontsize=plots.SMALL)
        axis.set_yticks([])
        axis.tick_params(labelsize=plots.SMALL)
    axes[-1].set_xlabel("seconds", fontsize=plots.SMALL)
    whole = io.BytesIO()
    figure.savefig(whole, format="png", dpi=80)
    with Image.open(whole) as image, replacing(path) as part:
        few = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(part, format="PNG", optimize=True)


HEADER = (
    "instrument",
    "stem",
    "mix",
    "beat F",
    "beat F, any level",
    "chroma cosine",
    "heard as",
    "context, stem, mix",
)
NOTES = (
    "Beat F and chroma cosine are of the stem by itself beside the context, as in"
    " `docs/evaluation.md`; n/a where the context has no beats, or where one of the two"
    " has no notes. No real stem says here what could be reached: read the table of"
    " `evaluate.py listening` for that.",
    "Heard as: the instrument that the classifier names.",
)


def index(title: str, about: Sequence[str], items: Sequence[Mapping[str, Any]]) -> str:
    """The page: a table a context, links relative to it.

    items: JSON values of `stemjax.eval.commands.gallery`.
    """
    lines = [f"# {title}", "", *(f"- {line}" for line in about), ""]
    for context in dict.fromkeys(item["context"] for item in items):
        own = [item for item in items if item["context"] == context]
        lines += [f"## {context}", "", f"[context]({own[0]['files']['context']})", ""]
        lines.append(as_markdown(HEADER, [_cells(item) for item in own]))
    return "\n".join([*lines, *(f"- {note}" for note in NOTES), ""])


def _cells(item: Mapping[str, Any]) -> list[str]:
    files = item["files"]

    def number(name: str) -> str:
        return "n/a" if item[name] is None else f"{item[name]:.2f}"

    return [
        item["instrument"],
        f"[stem]({files['stem']})",
        f"[mix]({files['mix']})",
        *map(number, ("beat_f", "beat_f_any_level", "chroma_cosine")),
        item["heard_as"],
        f"![{item['instrument']}]({files['picture']})",
    ]
