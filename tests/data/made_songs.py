"""Songs made for the tests of layouts, records and preparation: sines in files."""

import sys
from pathlib import Path

import numpy as np
import soundfile
import yaml

from stemjax.data.prepare import main


def sine(
    seconds: float, *, pitch: float = 440.0, peak: float = 0.3, rate: int = 32_000
) -> np.ndarray:
    """A sine, float64 [N]."""
    return peak * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)


def write_audio(path: Path, audio: np.ndarray, rate: int = 32_000) -> Path:
    """Write 16-bit audio, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate, subtype="PCM_16")
    return path


def empty(path: Path) -> Path:
    """A file without content: enough for layouts, which read no audio."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def prepare_command(monkeypatch, layout: str, folder: Path, *flags) -> None:
    """`python -m data.prepare` of folder/in, written to folder/out."""
    flags += ("--input", folder / "in", "--out", folder / "out", "--workers", 1)
    argv = ["prepare", "--layout", layout, *map(str, flags)]
    monkeypatch.setattr(sys, "argv", argv)
    main()


def slakh_song(folder: Path, entries: dict, files=(), **top) -> Path:
    """metadata.yaml with stem `entries`, and empty stems called `files`."""
    folder.mkdir(parents=True)
    (folder / "metadata.yaml").write_text(yaml.safe_dump({**top, "stems": entries}))
    for name in files:
        empty(folder / "stems" / name)
    return folder


def plain_songs(root: Path, songs: int, seconds: float = 3.0) -> Path:
    """`songs` folders in train with a bass and a piano each, all different."""
    for song in range(songs):
        for place, name in enumerate(("bass", "piano")):
            audio = sine(seconds, pitch=110.0 * (1 + place) + 7 * song)
            write_audio(root / "train" / f"song_{song}" / f"{name}.wav", audio)
    return root
