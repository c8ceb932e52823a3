"""A recording as a session begins with it: heard, its music found, cut to a loop."""

import hashlib
from typing import NamedTuple

import numpy as np

from stemjax.api import Model
from stemjax.io.audio import MIN_SECONDS
from stemjax.io.errors import UserError
from stemjax.session import loops
from stemjax.session import music as music_
from stemjax.session.folder import Recording
from stemjax.session.layering import Scene
from stemjax.session.loops import Bars
from stemjax.session.music import Music


class Opened(NamedTuple):
    """A context that was heard."""

    scene: Scene
    recording: Recording
    """As long as the scene's context."""
    music: Music
    bars: Bars | None
    """Of a loop."""

    @property
    def note(self) -> str:
        """What was made of a loop, in words."""
        if self.bars is None:
            return ""
        seconds = len(self.scene.context) / self.scene.model.sample_rate
        return (
            f"loop: {self.bars.bars} bars of {self.bars.beats_per_bar} beats at"
            f" {self.bars.bpm:.1f} a minute, {seconds:.2f} s"
        )


def silence(seconds: float, rate: int) -> Recording:
    """A context of nothing.

    Raises:
      UserError: shorter than a context may be.
    """
    if not seconds >= MIN_SECONDS:
        raise UserError(f"silence of {seconds:g} s: give {MIN_SECONDS:g} s or more")
    audio = np.zeros((round(seconds * rate), 1), np.float32)
    digest = hashlib.sha256(audio.tobytes()).hexdigest()
    return Recording(None, digest, audio, rate)


def hear(
    model: Model,
    recording: Recording,
    told: Music,
    *,
    name: str,
    is_loop: bool = False,
    allow_silent: bool = False,
    needs_music: bool = False,
) -> Opened:
    """Hear a recording; of a loop, whole bars.

    told: what is known of its music.  name: what errors call it.  needs_music: whether
    the rest is to be found.

    Raises:
      UserError: audio that cannot be answered, or music that cannot be.
    """
    music = music_.check(told)
    mono = model.listen(
        recording.audio, recording.rate, allow_silent=allow_silent, name=name
    )
    if recording.file is not None and (needs_music or (is_loop and music.bpm is None)):
        music = music_.find(mono, model.sample_rate, music)
    if not is_loop:
        return Opened(Scene(model, mono, is_loop), recording, music, None)
    bars = loops.whole_bars(
        len(mono), model.sample_rate, music.bpm, music.beats_per_bar, name
    )
    samples = round(bars.samples * recording.rate / model.sample_rate)
    return Opened(
        Scene(model, mono[: bars.samples], is_loop),
        recording._replace(audio=recording.audio[:samples]),
        music._replace(bpm=bars.bpm, beats_per_bar=bars.beats_per_bar),
        bars,
    )
