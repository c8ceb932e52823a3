"""Arguments of `python -m data.render`."""

import dataclasses
import os
from pathlib import Path
from typing import Annotated

import tyro

from stemjax.io.errors import UserError

MAX_VERSIONS = 9
MAX_SONGS = 9999
COMPOSED_SONGS = 20
"""Songs that are composed by default if no MIDI is given."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RenderArgs:
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
    versions: int | None = None
    """Make a set of versions: the number of renderings of each training song of --midi
    (1 to 9; the first is as written). Validation and test songs are rendered once."""
    transpose: int = 0
    """Semitones (-12 to 12) that MIDI songs are moved up; drums are not moved."""
    tempo: float = 1.0
    """Speed factor (0.5 to 2) of MIDI songs; 1.1 plays 10 % faster."""
    max_seconds: float = 0.0
    """Length in seconds at which MIDI songs are cut; 0: never."""
    songs: int | None = None
    """Number of songs to compose; default: 20 without --midi, none with it."""
    seed: int = 0
    """Seed of the composer and of the versions."""
    seconds: float = 60.0
    """Length of each composed song in seconds."""
    sf2: Annotated[tuple[Path, ...], tyro.conf.UseAppendAction] = ()
    """Soundfont (.sf2, .sf3); repeat it with --versions for several. Default: TimGM6mb
    of pretty_midi, or a NumPy synth if tinysoundfont is not installed."""
    min_notes: int = 8
    """Parts with fewer notes are left out."""
    first_track: int = 1
    """Number of the first TrackXXXXX, so that one folder can hold several renderings."""
    workers: int = os.cpu_count() or 1
    """Processes; each loads one soundfont. The result does not depend on them."""

    @property
    def composed(self) -> int:
        """Number of songs to compose."""
        if self.songs is None:
            return COMPOSED_SONGS if self.midi is None else 0
        return self.songs

    def check(self) -> None:
        """Check what the types do not say; tyro would hide errors of __post_init__.

        Raises:
          UserError: naming the flag.
        """
        least_songs = 1 if self.midi is None else 0
        most_songs = MAX_SONGS if self.versions else 99_999
        for name, value, least, most in (
            ("--workers", self.workers, 1, 4096),
            ("--min-notes", self.min_notes, 1, 10_000),
            ("--songs", self.composed, least_songs, most_songs),
            ("--first-track", self.first_track, 1, 99_999),
            ("--versions", self.versions or 1, 1, MAX_VERSIONS),
            ("--transpose", self.transpose, -12, 12),
            ("--tempo", self.tempo, 0.5, 2),
            ("--max-seconds", self.max_seconds, 0, 86_400),
            ("--seconds", self.seconds, 1, 86_400),
            ("--seed", self.seed, 0, 2**32 - 1),
        ):
            if not least <= value <= most:
                raise UserError(f"{name} must be {least} to {most}, not {value}")
        if self.versions == 0:
            raise UserError(f"--versions must be 1 to {MAX_VERSIONS}, not 0")
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
