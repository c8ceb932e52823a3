"""Arguments of `python -m data.render`."""

import dataclasses
import os
from pathlib import Path
from typing import Annotated

import tyro

from stemjax.config.numbers import (
    Amount,
    CheckedNumbers,
    ClipSeconds,
    Count,
    NonNegative,
    Seed,
    real,
    whole,
)
from stemjax.io.errors import UserError

MAX_VERSIONS = 9
MAX_SONGS = 9999
"""Songs of a set of versions."""
MAX_TRACKS = 99_999
Versions = whole(1, MAX_VERSIONS)
Semitones = whole(-12, 12)
SpeedFactor = real(0.5, 2)
TrackNumber = whole(1, MAX_TRACKS)
COMPOSED_SONGS = 20
"""Songs that are composed by default if no MIDI is given."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RenderArgs(CheckedNumbers):
    """Render songs into stems in Slakh2100's layout (32 kHz mono FLAC).

    Without --midi, a seeded composer writes the songs.  With --versions, MIDI songs and
    composed songs become one set: training songs are varied in soundfont, key, tempo,
    room, equaliser and level.  Run the same command again to continue.
    """

    out: Path
    """Folder for the songs; finished songs in it are kept."""
    midi: Path | None = None
    """Folder of MIDI files."""
    splits: Path | None = None
    """With --midi: table of splits (columns file,title,composer,split)."""
    split: str | None = None
    """With --splits: render only the songs of this split."""
    versions: Versions | None = None
    """Make a set of versions: the number of renderings of each training song of --midi
    (1 to 9; the first is as written). Validation and test songs are rendered once."""
    transpose: Semitones = 0
    """Semitones (-12 to 12) that MIDI songs are moved up; drums are not moved."""
    tempo: SpeedFactor = 1.0
    """Speed factor (0.5 to 2) of MIDI songs; 1.1 plays 10 % faster."""
    max_seconds: NonNegative = 0.0
    """Length in seconds at which MIDI songs are cut; 0: never."""
    songs: Amount | None = None
    """Number of songs to compose; default: 20 without --midi, none with it."""
    seed: Seed = 0
    """Seed of the composer and of the versions."""
    seconds: ClipSeconds = 60.0
    """Length of each composed song in seconds."""
    sf2: Annotated[tuple[Path, ...], tyro.conf.UseAppendAction] = ()
    """Soundfont (.sf2, .sf3); repeat it with --versions for several. Default: TimGM6mb
    of pretty_midi, or a NumPy synth if tinysoundfont is not installed."""
    min_notes: Count = 8
    """Parts with fewer notes are left out."""
    first_track: TrackNumber = 1
    """Number of the first TrackXXXXX, so that one folder can hold several renderings."""
    workers: Count = os.cpu_count() or 1
    """Processes; each loads one soundfont. The result does not depend on them."""

    @property
    def composed(self) -> int:
        """Number of songs to compose."""
        if self.songs is None:
            return COMPOSED_SONGS if self.midi is None else 0
        return self.songs

    def check(self) -> None:
        """Check what the types of single fields do not say.

        Raises:
          UserError: naming the flag.
        """
        least = 1 if self.midi is None else 0
        most = MAX_SONGS if self.versions else MAX_TRACKS
        if not least <= self.composed <= most:
            raise UserError(f"--songs must be {least} to {most}, not {self.composed}")
        if self.midi is None and self.splits:
            raise UserError("--splits is a table of MIDI songs: give --midi too")
        if self.versions is None and len(self.sf2) > 1:
            raise UserError("several --sf2 need --versions, which alternates them")
        if self.versions is None and self.midi and self.composed:
            raise UserError("--midi and --songs make one set only with --versions")
        if self.versions and (self.transpose or self.tempo != 1 or self.split):
            raise UserError("--versions draws keys and tempi for all splits: leave out")
        names = [path.name for path in self.sf2]
        if len(set(names)) < len(names):
            raise UserError("two --sf2 have the same file name: rename one")
