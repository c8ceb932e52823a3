"""A session's folder: session.json, the tokens of each layer, and tracks that sum up.

    context.wav  layer_01.wav  layer_01.npz  ...  mix.wav  session.json  session.png

mix.wav is the sum of context.wav and the layers in their order, added in float32.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stemjax.api import Model
from stemjax.arrays.mel import mel_power
from stemjax.io.audio_formats import AudioFormat, write_audio
from stemjax.io.errors import UserError
from stemjax.io.picture import save_spectrograms
from stemjax.session import session_file
from stemjax.session.layering import Scene, Voice
from stemjax.session.mixing import fitted, mix_down, total
from stemjax.session.music import Music

PICTURE = "session.png"


class Recording(NamedTuple):
    """The context as it was given."""

    file: str | None
    """Its name; None: silence."""
    sha256: str
    audio: np.ndarray
    """[N, C] float32 at `rate`."""
    rate: int


class Delivery(NamedTuple):
    """How tracks are written."""

    rate: int
    format: AudioFormat


def save(
    folder: pathlib.Path,
    scene: Scene,
    recording: Recording,
    voices: Sequence[Voice],
    music: Music,
    delivery: Delivery,
) -> session_file.Session:
    """Write tracks, picture and, last, session.json; returns what it holds."""
    samples = round(len(scene.context) * delivery.rate / scene.model.sample_rate)
    wide = fitted(recording.audio, recording.rate, delivery.rate, samples)
    stems = [
        fitted(v.stem, scene.model.sample_rate, delivery.rate, samples) for v in voices
    ]
    tracks = mix_down(wide, stems)
    ending = delivery.format.value
    layers = tuple(
        _named(voice.layer, pathlib.Path(voice.layer.stem).stem, ending)
        for voice in voices
    )
    session = session_file.Session(
        checkpoint=about_checkpoint(scene.model),
        context={
            "file": recording.file,
            "sha256": recording.sha256,
            "rate": recording.rate,
        },
        seconds=len(scene.context) / scene.model.sample_rate,
        rate=delivery.rate,
        music=music._asdict(),
        loop=scene.is_loop,
        mix={
            "file": f"mix.{ending}",
            "context": f"context.{ending}",
            "gain": tracks.gain,
        },
        layers=layers,
    )
    sha256 = scene.model.codec.sha256
    for voice, layer in zip(voices, layers, strict=True):
        session_file.save_tokens(folder / layer.tokens, voice.tokens, sha256)
    for layer, stem in zip(layers, tracks.stems, strict=True):
        write_audio(folder / layer.stem, stem, delivery.rate)
    write_audio(folder / session.mix["context"], tracks.context, delivery.rate)
    write_audio(folder / session.mix["file"], tracks.mix, delivery.rate)
    draw(folder / PICTURE, scene, voices, recording.file or "silence")
    session_file.save(folder, session)
    return session


def about_checkpoint(model: Model) -> dict[str, str]:
    """The checkpoint's name, version and digest, as reports hold them."""
    return {"name": model.name, "version": model.version, "sha256": model.sha256}


def _named(layer: session_file.Layer, name: str, ending: str) -> session_file.Layer:
    return dataclasses.replace(layer, stem=f"{name}.{ending}")


def draw(
    path: pathlib.Path, scene: Scene, voices: Sequence[Voice], context: str
) -> None:
    """Mel spectrograms of the context, of each layer and of the mix."""
    rows = [
        (f"context: {context}", scene.context),
        *((f"{v.layer.id}: {v.layer.instrument}", v.stem) for v in voices),
        ("mix", total([scene.context, *(voice.stem for voice in voices)])),
    ]
    rate = scene.model.sample_rate
    save_spectrograms(
        path,
        [(title, mel_power(audio, sample_rate=rate)) for title, audio in rows],
        seconds=len(scene.context) / rate,
    )


def load_voices(
    folder: pathlib.Path, session: session_file.Session, scene: Scene
) -> list[Voice]:
    """The layers of a session as they sound, from their tokens.

    Raises:
      UserError: tokens that are missing, of another codec or of another length.
    """
    cfg = scene.model.codec.config
    voices = []
    for layer in session.layers:
        path = folder / layer.tokens
        tokens = session_file.read_tokens(
            path, scene.model.codec.sha256, cfg.num_codebooks
        )
        if tokens.shape[1] != cfg.frames(len(scene.context)):
            raise UserError(f"{path}: not as long as the context; layer it again")
        voices.append(scene.voice(layer, tokens))
    return voices


def check_same(
    folder: pathlib.Path,
    session: session_file.Session,
    scene: Scene,
    recording: Recording,
) -> None:
    """That a session can go on with this model and context.

    Raises:
      UserError: it was made with others.
    """
    theirs = session.context["sha256"], session.checkpoint["sha256"], session.loop
    ours = recording.sha256, scene.model.sha256, scene.is_loop
    for what, old, new in zip(
        ("context", "checkpoint", "--loop"), theirs, ours, strict=True
    ):
        if old != new:
            raise UserError(
                f"{folder}: holds a session of another {what}; give another --out"
            )
