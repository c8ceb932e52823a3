"""A session: a context that stems are generated for, with its tempo, metre and key."""

import hashlib
from typing import NamedTuple

import numpy as np

from stemjax.decode.stem_model import StemModel
from stemjax.io.audio import MIN_SECONDS
from stemjax.io.errors import UserError
from stemjax.session import loops
from stemjax.session.loops import Bars
from stemjax.session.music import MusicInfo, check_music, estimate_music


class Recording(NamedTuple):
    """A recording as the user supplied it."""

    file: str | None
    """File name; None for silence."""
    sha256: str
    """Digest of the file, or of the samples of silence."""
    audio: np.ndarray
    """[N, C] float32."""
    rate: int
    """Hz."""


class Session(NamedTuple):
    """A context that stems are generated for."""

    recording: Recording
    """The recording; of a loop, its whole bars."""
    context: np.ndarray
    """[N] float32: the recording, mono, at the model's rate."""
    music: MusicInfo
    bars: Bars | None = None
    """Length of a loop; None: not a loop."""

    @property
    def is_loop(self) -> bool:
        return self.bars is not None


def silent_recording(seconds: float, rate: int) -> Recording:
    """A recording of silence.

    Raises:
      UserError: shorter than 1 s.
    """
    if not seconds >= MIN_SECONDS:
        raise UserError(
            f"--silence {seconds:g}: give {MIN_SECONDS:g} s of silence or more"
        )
    audio = np.zeros((round(seconds * rate), 1), np.float32)
    digest = hashlib.sha256(audio.tobytes()).hexdigest()
    return Recording(None, digest, audio, rate)


def open_session(
    model: StemModel,
    recording: Recording,
    music: MusicInfo,
    *,
    name: str,
    is_loop: bool = False,
    allow_silent: bool = False,
    needs_music: bool = False,
) -> Session:
    """Prepare a recording as a context; cut a loop to whole bars.

    Args:
      music: values that the user supplied.
      name: name of the recording in error messages.
      is_loop: the recording is a loop.
      allow_silent: accept a context below -60 dB RMS.
      needs_music: estimate the values that are missing in `music`.

    Raises:
      UserError: bad audio, values of `music` out of range, or a loop without a tempo.
    """
    music = check_music(music)
    context = model.prepare_context(
        recording.audio, recording.rate, allow_silent=allow_silent, name=name
    )
    if recording.file is not None and (needs_music or (is_loop and music.bpm is None)):
        music = estimate_music(context, model.sample_rate, music)
    if not is_loop:
        return Session(recording, context, music)
    bars = loops.whole_bars(
        len(context), model.sample_rate, music.bpm, music.beats_per_bar, name
    )
    samples = round(bars.samples * recording.rate / model.sample_rate)
    return Session(
        recording._replace(audio=recording.audio[:samples]),
        context[: bars.samples],
        music._replace(bpm=bars.bpm, beats_per_bar=bars.beats_per_bar),
        bars,
    )
