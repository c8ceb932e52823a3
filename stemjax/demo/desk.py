"""What the page does, without the page: open, answer, keep, mix, pack."""

import dataclasses
import io
import pathlib
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stemjax.api import Model
from stemjax.config.categories import category_of
from stemjax.config.decode import DecodeConfig
from stemjax.io.audio_formats import AudioFormat
from stemjax.io.errors import UserError
from stemjax.session import folder, hearing, layering, timing
from stemjax.session.folder import Delivery, Recording
from stemjax.session.layering import Request, Scene, Voice
from stemjax.session.mixing import fitted, mix_down, total
from stemjax.session.music import Music

MOST_LAYERS = 8
MOST_VARIATIONS = 3
CONTEXT = "context"  # its name among the tracks


class Cancelled(Exception):
    """Somebody pressed cancel."""


class Desk(NamedTuple):
    """A person's session; it holds no weights."""

    recording: Recording
    context: np.ndarray
    """[N] as the model hears it."""
    is_loop: bool
    music: Music
    voices: tuple[Voice, ...] = ()
    """The layers that were kept."""
    candidates: tuple[Voice, ...] = ()
    """Variations of the next one."""

    def tracks(self) -> list[str]:
        """The names of what can be muted."""
        return [CONTEXT, *(f"{v.layer.id} {v.layer.instrument}" for v in self.voices)]


class Asked(NamedTuple):
    """What the sliders say."""

    instrument: str
    listens: float
    """Guidance scale of the context."""
    instrument_scale: float
    causal: float
    """w_s, the causal bias."""
    is_refined: bool
    variations: int
    seed: float | None
    """None: an empty field."""


@dataclasses.dataclass
class Studio:
    """The model, and who wants to stop; one for a server."""

    model: Model
    speed: float | None = None
    """Of the last decoding: its seconds over those that were expected."""
    stops: dict[str, threading.Event] = dataclasses.field(default_factory=dict)
    """Of those who asked for an answer, waiting in the queue or decoding."""

    def scene(self, desk: Desk) -> Scene:
        return Scene(self.model, desk.context, desk.is_loop)

    def open(self, recording: Recording, *, bpm: float | None, is_loop: bool) -> Desk:
        """Hear a recording and find its music; a loop is cut to whole bars.

        Raises:
          UserError: too short, silent, or a loop without a beat.
        """
        opened = hearing.hear(
            self.model,
            recording,
            Music(bpm or None, None, None),
            name=recording.file or "silence",
            is_loop=is_loop,
            allow_silent=recording.file is None,
            needs_music=True,
        )
        return Desk(opened.recording, opened.scene.context, is_loop, opened.music)

    def config(self, asked: Asked) -> DecodeConfig:
        """The settings of the decoder."""
        return self.model.decode_config(
            None if asked.is_refined else "fast",
            scales=(asked.listens, asked.instrument_scale),
            w_causal=asked.causal,
        )

    def expected_seconds(self, desk: Desk, asked: Asked) -> float:
        """How long `answer` will take, by what it took before."""
        frames = self.model.codec.config.frames(len(desk.context))
        return (self.speed or 1.0) * timing.expected_seconds(
            self.model, frames, self.config(asked), asked.variations
        )

    def answer(
        self,
        desk: Desk,
        asked: Asked,
        *,
        who: str,
        progress: Callable[[int, int], None],
    ) -> Desk:
        """The desk with variations of a further layer.

        who: whose `stop` ends it.

        Raises:
          UserError: an unknown instrument, or as many layers as there may be.
          Cancelled: stopped, perhaps before its turn came.
        """
        try:
            return self._answer(desk, asked, self.expect(who), progress)
        finally:
            self.stops.pop(who, None)

    def _answer(self, desk, asked, stop: threading.Event, progress) -> Desk:
        if len(desk.voices) >= MOST_LAYERS:
            raise UserError(f"{MOST_LAYERS} layers at most; download and begin anew")
        if not 1 <= asked.variations <= MOST_VARIATIONS:
            raise UserError(
                f"1 to {MOST_VARIATIONS} variations, not {asked.variations}"
            )
        if asked.seed is None or not 0 <= asked.seed < 2**31:
            raise UserError("Seed: give a whole number from 0")
        try:
            category = category_of(asked.instrument)
        except ValueError as error:
            raise UserError(str(error)) from None
        request = Request(
            category=category,
            seed=int(asked.seed),
            config=self.config(asked),
            preset=None if asked.is_refined else "fast",
            variations=int(asked.variations),
        )
        reports: list[tuple[float, int]] = []

        def report(done: int, steps: int) -> None:
            if stop.is_set():
                raise Cancelled
            reports.append((time.perf_counter(), done))
            progress(done, steps)

        if stop.is_set():
            raise Cancelled
        found = layering.variations(
            self.scene(desk), desk.voices, request, progress=report
        )
        (began, before), (ended, steps) = reports[0], reports[-1]
        if steps > before:  # from the first report on nothing is compiled any more
            expected = self.expected_seconds(desk, asked) / (self.speed or 1.0)
            took = (ended - began) * steps / (steps - before)
            self.speed = took / max(expected, 1e-9)
        return desk._replace(candidates=tuple(found))

    def expect(self, who: str) -> threading.Event:
        """That an answer was asked for: from here on `stop` ends it."""
        return self.stops.setdefault(who, threading.Event())

    def stop(self, who: str) -> bool:
        """End that person's decoding at its next report, or its wait when its turn
        comes; whether there is one."""
        event = self.stops.get(who)
        if event is not None:
            event.set()
        return event is not None

    def heard(self, desk: Desk, names: Sequence[str]) -> np.ndarray:
        """The sum of the named tracks [N] at the model's rate, within full scale."""
        tracks = {CONTEXT: desk.context}
        tracks |= dict(
            zip(desk.tracks()[1:], [v.stem for v in desk.voices], strict=True)
        )
        chosen = [tracks[name] for name in desk.tracks() if name in names]
        if not chosen:
            return np.zeros_like(desk.context)
        mix = total(chosen)
        return mix / np.float32(max(1.0, np.abs(mix).max()))

    def with_context(self, desk: Desk, voice: Voice) -> np.ndarray:
        """How a candidate sounds in the mix so far, [N]."""
        kept = [v.stem for v in desk.voices]
        tracks = mix_down(desk.context[:, None], [*kept, voice.stem])
        return tracks.mix[:, 0]

    def round_trip(self, desk: Desk) -> np.ndarray:
        """What the codec alone makes of the context, [N]."""
        codes = self.model.encode_contexts(desk.context[None])
        return self.model.codec.decode(codes)[0, : len(desk.context)]

    def pack(self, desk: Desk) -> bytes:
        """Stems, mix and session as a zip, at the recording's own rate."""
        rate = desk.recording.rate
        with tempfile.TemporaryDirectory(prefix="stemjax-") as place:
            at = pathlib.Path(place)
            folder.save(
                at,
                self.scene(desk),
                desk.recording,
                desk.voices,
                desk.music,
                Delivery(rate, AudioFormat.WAV),
            )
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(at.iterdir()):
                    entry = zipfile.ZipInfo(path.name)  # 1980: the same bytes again
                    archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
        return file.getvalue()


def keep(desk: Desk, number: int) -> Desk:
    """The desk with candidate `number`, from 1, as a layer.

    Raises:
      UserError: no such candidate.
    """
    if not 1 <= number <= len(desk.candidates):
        raise UserError("no such variation; ask for an answer first")
    return desk._replace(
        voices=(*desk.voices, desk.candidates[number - 1]), candidates=()
    )


def without_last(desk: Desk) -> Desk:
    """The desk without its last layer."""
    return desk._replace(voices=desk.voices[:-1], candidates=())


def audible(tracks: Sequence[str], solo: Sequence[str], muted: Sequence[str]) -> list:
    """Which tracks sound: those that are soloed if any is, and none that is muted."""
    return [t for t in tracks if t not in muted and (not solo or t in solo)]


def playable(audio: np.ndarray, rate: int, to_rate: int) -> np.ndarray:
    """Audio [N] at another rate as 16-bit samples, as browsers play them."""
    at_rate = fitted(audio, rate, to_rate, round(len(audio) * to_rate / rate))
    return np.round(np.clip(at_rate, -1, 1) * 32767).astype(np.int16)
