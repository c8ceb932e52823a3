"""Renders songs in processes; a finished song's folder is the point to resume from.

Each process loads one soundfont at a time.  A song that fails is reported, not fatal.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from stemjax.data.layouts.yaml_file import read_yaml
from stemjax.data.render.composer.compose import compose
from stemjax.data.render.events import Event, last_note, stems_of
from stemjax.data.render.levels import level_stems
from stemjax.data.render.midi import midi_bytes, read_midi
from stemjax.data.render.numpy_synth import NumpySynth
from stemjax.data.render.slakh import metadata, name_of, write_song
from stemjax.data.render.soundfont import SoundfontSynth
from stemjax.data.render.treat import Treatment, treat
from stemjax.data.render.vary import AS_WRITTEN, Variation, vary
from stemjax.data.render.versions import Version, draw_treatment
from stemjax.io.errors import UserError
from stemjax.io.process.worker_pool import worker_pool

SAMPLE_RATE = 32_000
_TAIL_SECONDS = 3.0  # after the last note, for its decay
MAX_STEM_SECONDS = 36_000.0
"""Length of all stems of a song together: 4.6 GB as float32."""


class Synth(Protocol):
    """Renders stems: a soundfont, or the NumPy synth."""

    def render(
        self, events: Sequence[Event], seconds: float, stem: int | None
    ) -> np.ndarray:
        """One stem, or all of them if None: mono float32 [N]."""


@dataclasses.dataclass(frozen=True)
class SynthChoice:
    """A synth by name, which a worker process can load."""

    soundfont: Path | None
    """None: the NumPy synth."""

    @property
    def about(self) -> dict[str, str | None]:
        """Its entries in metadata.yaml; nothing is loaded."""
        if self.soundfont is None:
            return {"renderer": NumpySynth.name, "soundfont": None}
        return {"renderer": SoundfontSynth.name, "soundfont": self.soundfont.name}

    def make(self) -> Synth:
        """Load it."""
        if self.soundfont is None:
            return NumpySynth(SAMPLE_RATE)
        return SoundfontSynth(self.soundfont, SAMPLE_RATE)


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of what is rendered: length of a song, notes of a stem."""

    max_seconds: float
    """Length at which a MIDI song is cut; 0: never."""
    min_notes: int
    """Stems with fewer notes are left out."""


class ComposerRecipe(NamedTuple):
    """A song for the composer to write."""

    seed: int
    index: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class SongSource:
    """A song to render: a MIDI file, or a recipe for the composer."""

    track: str
    """Name of its folder, TrackXXXXX."""
    origin: Path | ComposerRecipe
    about: dict[str, str]
    """Metadata of a MIDI file: title, composer, split."""
    variation: Variation = AS_WRITTEN
    """Key and tempo of a MIDI file."""
    version: Version | None = None
    """Its place in a set of versions."""


class RenderReport(NamedTuple):
    """Result of rendering one song."""

    track: str
    seconds: float
    """Length of the song; 0 if it was finished before."""
    stems: int
    silent: list[str]
    """Names of silent parts, which are left out."""
    problem: str | None
    """Why the song was skipped."""
    is_resumed: bool = False
    """Whether an earlier start finished it."""

    @property
    def remarks(self) -> list[str]:
        """Lines for the user about a song that is skipped or incomplete."""
        lines = []
        if self.problem:
            lines.append(f"skipped {self.track}: {self.problem}")
        if self.silent:
            names = ", ".join(self.silent)
            lines.append(f"{self.track}: silent parts left out: {names}")
        return lines


class Score(NamedTuple):
    """A song, ready to be rendered."""

    events: list[Event]
    seconds: float
    stems: list[int]
    treatment: Treatment | None
    about: dict
    """Entries of metadata.yaml beyond Slakh's own keys."""


@functools.lru_cache(maxsize=1)
def _synth(choice: SynthChoice) -> Synth:
    """Load a synth when a process reaches the first song that needs it."""
    return choice.make()


def render_song(
    source: SongSource, out: Path, choice: SynthChoice, limits: Limits
) -> RenderReport:
    """Render one song into `out`/track unless it is there already.

    Raises:
      UserError: the synth cannot be loaded; problems of the song are reported.
    """
    folder = out / source.track
    try:
        song = read_score(source, limits)
        about = {**song.about, **choice.about}
        if folder.exists():
            return _resumed(folder, about)
        if not song.stems:
            raise UserError(f"no part with {limits.min_notes} notes or more")
    except UserError as error:
        return _failed(source, error)
    synth = _synth(choice)
    try:
        raw = {
            stem: synth.render(song.events, song.seconds, stem) for stem in song.stems
        }
        gains_db = None
        if song.treatment:
            raw = treat(raw, song.treatment, SAMPLE_RATE)
            gains_db = song.treatment.gains_db()
        levelled = level_stems(raw, SAMPLE_RATE, gains_db)
        silent = [name_of(stem) for stem in levelled.silent]
        if not levelled.stems:
            raise UserError(f"every part is silent ({', '.join(silent)})")
        plugin = about["soundfont"] or about["renderer"]
        meta = metadata(source.track, levelled, plugin, about)
        write_song(folder, song.events, levelled, meta, SAMPLE_RATE)
    except UserError as error:
        return _failed(source, error)
    except MemoryError:
        return _failed(
            source,
            UserError(f"{song.seconds:.0f} s are too long for this memory; cut it"),
        )
    length = len(levelled.mix) / SAMPLE_RATE
    return RenderReport(source.track, length, len(levelled.stems), silent, None)


def _failed(source: SongSource, error: UserError) -> RenderReport:
    return RenderReport(source.track, 0.0, 0, [], str(error))


def read_score(source: SongSource, limits: Limits) -> Score:
    """Read or compose a song and draw the treatment of its version, without rendering.

    Raises:
      UserError: the MIDI file cannot be read, or its parts are too long.
    """
    if isinstance(source.origin, ComposerRecipe):
        song = compose(*source.origin)
        events, seconds = list(song.events), source.origin.seconds
        content = midi_bytes(events)
        about = {
            "title": f"Composed {source.origin.index}, {song.key}, {song.tempo} bpm",
            "composer": "data.render.compose",
            "split": str(song.split),
            "source_midi": f"seed {source.origin.seed}, song {source.origin.index}",
            "key": song.key,
            "tempo": song.tempo,
            "chord_loop": song.loop_name,
        }
    else:
        events = vary(read_midi(source.origin), source.variation)
        seconds = last_note(events) + _TAIL_SECONDS
        if limits.max_seconds:
            seconds = min(seconds, limits.max_seconds)
        content = source.origin.read_bytes()
        about = {**source.about, "source_midi": source.origin.name}
        if source.variation != AS_WRITTEN:
            about |= dataclasses.asdict(source.variation)
            content += repr(source.variation).encode()  # makes another song
    if source.version and source.version.number:
        content += repr(source.version).encode()
    # Slakh's UUID is the MD5 of the MIDI file.
    about["UUID"] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    about["rendered_seconds"] = seconds
    about["min_notes"] = limits.min_notes
    events = [event for event in events if event.seconds < seconds]
    stems = stems_of(events, limits.min_notes)
    if seconds * len(stems) > MAX_STEM_SECONDS:
        raise UserError(
            f"{len(stems)} parts of {seconds:.0f} s are too long, at most"
            f" {MAX_STEM_SECONDS:.0f} s in all; give --max-seconds"
        )
    treatment = None
    if source.version:
        treatment = draw_treatment(source.version, stems)
        about["version"] = source.version.number
        about["treatment"] = treatment.as_dict() if treatment else None
    return Score(events, seconds, stems, treatment, about)


def _resumed(folder: Path, about: dict) -> RenderReport:
    """The report of a finished folder that has the same source and settings."""
    mend = "choose another --out or delete the song"
    saved = read_yaml(folder / "metadata.yaml", mend=mend)
    differing = [key for key in about if saved.get(key) != about[key]]
    if not isinstance(saved.get("stems"), dict):
        differing.append("stems")
    if differing:
        raise UserError(
            f"{folder} was rendered otherwise ({', '.join(differing)} differ):"
            " choose another --out or delete it"
        )
    return RenderReport(
        folder.name, 0.0, len(saved["stems"]), [], None, is_resumed=True
    )


def render_all(
    sources: Sequence[SongSource],
    out: Path,
    choice: SynthChoice,
    limits: Limits,
    workers: int,
) -> Iterator[RenderReport]:
    """Render all songs in `workers` processes; yields reports in order of completion."""
    out.mkdir(parents=True, exist_ok=True)
    if workers == 1:
        for source in sources:
            yield render_song(source, out, choice, limits)
        return
    with worker_pool(workers) as pool:
        futures = [
            pool.submit(render_song, source, out, choice, limits) for source in sources
        ]
        for future in as_completed(futures):
            yield future.result()
