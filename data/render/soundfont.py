"""Stems through tinysoundfont and a SoundFont file; one load a process.

With FluidR3 the load takes most of a stem's time, so the synth is reset between stems
instead of being made anew.
"""

import importlib.util
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from stemjax.data.render.events import DRUM_CHANNEL, NO_STEM, Event, Kind
from stemjax.io.errors import UserError

INSTALL = "pip install --no-deps tinysoundfont"  # its pyaudio need does not build
BLOCK = 64  # samples; events fall on this grid
_GAIN_DB = -12.0  # headroom only: every stem's level is set afterwards
_VOICES = 4096  # stealing a voice would make a stem depend on the others
_FLUSH = 0.1  # seconds; a reset lets sounding voices fade for 0.01 s


def default_soundfont() -> Path | None:
    """TimGM6mb.sf2 inside the installed pretty_midi, which is not imported."""
    spec = importlib.util.find_spec("pretty_midi")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "TimGM6mb.sf2"
    return path if path.is_file() else None


def has_tinysoundfont() -> bool:
    """Whether tinysoundfont is installed."""
    return importlib.util.find_spec("tinysoundfont") is not None


class SoundfontSynth:
    """A loaded soundfont that renders one stem after another."""

    name = "tinysoundfont"

    def __init__(self, path: Path, sample_rate: int):
        """Load `path` (.sf2 or .sf3).

        Raises:
          UserError: tinysoundfont or the file is missing, or it cannot be read.
        """
        try:
            import tinysoundfont
        except ImportError:
            raise UserError(
                f"rendering with {path} needs tinysoundfont: {INSTALL}"
            ) from None
        if not path.is_file():
            raise UserError(f"soundfont {path} does not exist: check --sf2")
        self.sample_rate = sample_rate
        self._synth = tinysoundfont.Synth(samplerate=sample_rate, gain=_GAIN_DB)
        try:
            self._id = self._synth.sfload(str(path), max_voices=_VOICES)
        except Exception as error:  # the binding raises plain RuntimeError
            raise UserError(f"{path} is no readable soundfont ({error})") from error
        self._font = self._synth.soundfonts[self._id]

    def render(
        self, events: Iterable[Event], seconds: float, stem: int | None
    ) -> np.ndarray:
        """One stem (None: all notes), mono float32 [N], N = seconds, up to a block."""
        self._reset()
        total = int(np.ceil(seconds * self.sample_rate / BLOCK)) * BLOCK
        stereo = np.zeros((total, 2), np.float32)
        done = 0
        for event in events:
            if event.seconds >= seconds:
                break
            now = min(round(event.seconds * self.sample_rate / BLOCK) * BLOCK, total)
            if stem is not None and event.stem not in (NO_STEM, stem):
                continue
            if now > done:
                self._font.render(memoryview(stereo[done:now]).cast("B"), False)
                done = now
            self._play(event)
        if total > done:
            self._font.render(memoryview(stereo[done:]).cast("B"), False)
        return 0.5 * (stereo[:, 0] + stereo[:, 1])  # four times faster than mean()

    def _reset(self) -> None:
        self._font.reset()
        self._synth.generate(int(_FLUSH * self.sample_rate))
        for channel in range(16):
            is_drums = channel == DRUM_CHANNEL
            self._try(self._synth.program_select, channel, self._id, 0, 0, is_drums)

    def _play(self, event: Event) -> None:
        synth, channel = self._synth, event.channel
        match event.kind:
            case Kind.ON:
                synth.noteon(channel, event.a, event.b)
            case Kind.OFF:
                synth.noteoff(channel, event.a)
            case Kind.BEND:
                synth.pitchbend(channel, event.a)
            case Kind.CONTROL:
                self._try(synth.control_change, channel, event.a, event.b)
            case Kind.PROGRAM:
                is_drums = channel == DRUM_CHANNEL
                self._try(synth.program_change, channel, event.a, is_drums)

    @staticmethod
    def _try(call, *arguments) -> None:
        """A preset that the soundfont lacks leaves the channel as it was."""
        try:
            call(*arguments)
        except RuntimeError:
            pass
