"""Songs to render, spread over processes; a finished song's folder is the resume point.

Each process loads the soundfont once.  A song that fails is reported, not fatal.
"""

import dataclasses
import hashlib
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from data.errors import DataError
from data.render.compose import compose
from data.render.events import Event, last_note, stems_of
from data.render.levels import level_stems
from data.render.midi import midi_bytes, read_midi
from data.render.slakh import metadata, name_of, write_song
from data.render.vary import AS_WRITTEN, Variation, vary

SAMPLE_RATE = 32_000
_TAIL_SECONDS = 3.0  # after the last note, for its decay


class Synth(Protocol):
    """What renders a stem: a soundfont, or the NumPy fallback."""

    name: str
    soundfont: str | None  # base name

    def render(
        self, events: Sequence[Event], seconds: float, stem: int | None
    ) -> np.ndarray:
        """Mono float32 [N] of one stem (None: of all)."""


@dataclasses.dataclass(frozen=True)
class SynthChoice:
    """A synth that a worker process can make: a soundfont, or None for NumPy."""

    soundfont: Path | None

    def make(self) -> Synth:
        """Load it."""
        if self.soundfont is not None:
            from data.render.soundfont import SoundfontSynth

            return SoundfontSynth(self.soundfont, SAMPLE_RATE)
        from data.render.numpy_synth import NumpySynth

        return NumpySynth(SAMPLE_RATE)


@dataclasses.dataclass(frozen=True)
class Limits:
    """What is left out of a song."""

    max_seconds: float  # 0: no limit
    min_notes: int  # stems with fewer struck notes are dropped


class Recipe(NamedTuple):
    """A song for the composer to write."""

    seed: int
    index: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class Source:
    """A song to render: a MIDI file, or a recipe for the composer."""

    track: str  # TrackXXXXX
    origin: Path | Recipe
    about: dict[str, str]  # metadata of a MIDI file: title, composer, split
    variation: Variation = AS_WRITTEN  # of a MIDI file


class Report(NamedTuple):
    """What became of a song."""

    track: str
    seconds: float
    stems: int
    silent: list[str]
    problem: str | None
    is_resumed: bool = False


class _Song(NamedTuple):
    events: list[Event]
    seconds: float
    about: dict  # what metadata.yaml says beyond Slakh's own keys


def render_song(source: Source, out: Path, synth: Synth, limits: Limits) -> Report:
    """Render one song into `out`/track unless it is there already."""
    try:
        song = _load(source, limits)
        about = {**song.about, "renderer": synth.name, "soundfont": synth.soundfont}
        folder = out / source.track
        if folder.exists():
            return _resumed(folder, about)
        stems = stems_of(song.events, limits.min_notes)
        if not stems:
            raise DataError(f"no part with {limits.min_notes} notes or more")
        raw = {stem: synth.render(song.events, song.seconds, stem) for stem in stems}
        levelled = level_stems(raw, SAMPLE_RATE)
        silent = [name_of(stem) for stem in levelled.silent]
        if not levelled.stems:
            raise DataError(f"every part is silent ({', '.join(silent)})")
        meta = metadata(source.track, levelled, synth.soundfont or synth.name, about)
        write_song(folder, song.events, levelled, meta, SAMPLE_RATE)
        length = len(levelled.mix) / SAMPLE_RATE
        return Report(source.track, length, len(levelled.stems), silent, None)
    except DataError as error:
        return Report(source.track, 0.0, 0, [], str(error))


def _load(source: Source, limits: Limits) -> _Song:
    if isinstance(source.origin, Recipe):
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
            content += repr(source.variation).encode()  # a song of its own
    # Slakh's UUID is the MD5 of the MIDI file; it names songs, it protects nothing.
    about["UUID"] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    about["rendered_seconds"] = seconds
    about["min_notes"] = limits.min_notes
    return _Song([e for e in events if e.seconds < seconds], seconds, about)


def _resumed(folder: Path, about: dict) -> Report:
    """Accept a finished folder, if it was made from the same source and settings."""
    import yaml

    try:
        found = yaml.safe_load((folder / "metadata.yaml").read_text(encoding="utf-8"))
        differing = [key for key in about if found.get(key) != about[key]]
    except (OSError, AttributeError, yaml.YAMLError):
        differing = ["metadata.yaml"]
    if differing:
        raise DataError(
            f"{folder} was rendered otherwise ({', '.join(differing)} differ):"
            " choose another --out or delete it"
        )
    return Report(folder.name, 0.0, len(found["stems"]), [], None, is_resumed=True)


_synth: Synth | DataError  # one a process, set by the pool's initializer


def _start(choice: SynthChoice) -> None:
    global _synth
    try:
        _synth = choice.make()
    except DataError as error:  # raised here it would reach nobody
        _synth = error


def _work(source: Source, out: Path, limits: Limits) -> Report:
    if isinstance(_synth, DataError):
        raise _synth
    return render_song(source, out, _synth, limits)


def render_all(
    sources: Sequence[Source],
    out: Path,
    choice: SynthChoice,
    limits: Limits,
    workers: int,
) -> Iterator[Report]:
    """Render all songs from `workers` processes; reports in order of completion."""
    out.mkdir(parents=True, exist_ok=True)
    if workers == 1:
        synth = choice.make()
        for source in sources:
            yield render_song(source, out, synth, limits)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start, (choice,)) as pool:
        futures = [pool.submit(_work, source, out, limits) for source in sources]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
