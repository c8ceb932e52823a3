"""Session folder: tracks, tokens, session.json and a picture.

    context.wav  layer_01.wav  layer_01.npz  ...  mix.wav  session.json  session.png

mix.wav is the float32 sum of context.wav and the layers in their order.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

from stemjax.decode.stem_model import StemModel
from stemjax.io.atomic import replacing_files
from stemjax.io.audio import sum_with_one_gain
from stemjax.io.audio_files.formats import AudioFormat, write_audio
from stemjax.io.errors import UserError
from stemjax.session import session_file
from stemjax.session.layering import LayeredStem, decode_layer
from stemjax.session.mixing import mix_down, resample_to_length
from stemjax.session.picture import try_save_picture
from stemjax.session.session import Session
from stemjax.session.session_file import (
    CheckpointRecord,
    ContextRecord,
    MixRecord,
    MusicRecord,
    SessionRecord,
)

PICTURE = "session.png"


class TrackFormat(NamedTuple):
    """Rate and file format of written tracks."""

    rate: int
    """Hz."""
    format: AudioFormat

    @property
    def ending(self) -> str:
        """Ending of file names, without a dot."""
        return self.format.value


def save_session(
    folder: pathlib.Path,
    model: StemModel,
    session: Session,
    stems: Sequence[LayeredStem],
    track_format: TrackFormat,
) -> None:
    """Write tokens, tracks and session.json, all of them or none; then the picture."""
    recording, rate, ending = session.recording, track_format.rate, track_format.ending
    samples = round(len(session.context) * rate / model.sample_rate)
    tracks = mix_down(
        resample_to_length(recording.audio, recording.rate, rate, samples),
        [resample_to_length(s.audio, model.sample_rate, rate, samples) for s in stems],
    )
    layers = [
        dataclasses.replace(
            stem.layer, stem=f"{pathlib.Path(stem.layer.stem).stem}.{ending}"
        )
        for stem in stems
    ]
    record = SessionRecord(
        checkpoint=CheckpointRecord(**checkpoint_info(model)),
        context=ContextRecord(
            file=recording.file, sha256=recording.sha256, rate=recording.rate
        ),
        seconds=len(session.context) / model.sample_rate,
        rate=rate,
        music=MusicRecord(**session.music._asdict()),
        loop=session.is_loop,
        mix=MixRecord(
            file=f"mix.{ending}", context=f"context.{ending}", gain=tracks.gain
        ),
        layers=tuple(layers),
    )
    with replacing_files(folder) as new:
        for stem, layer, track in zip(stems, layers, tracks.stems, strict=True):
            tokens = new / layer.tokens
            session_file.save_tokens(tokens, stem.tokens, model.codec)
            write_audio(new / layer.stem, track, rate)
        write_audio(new / record.mix.context, tracks.context, rate)
        write_audio(new / record.mix.file, tracks.mix, rate)
        session_file.save(new, record)
    mix = sum_with_one_gain([session.context, *(stem.audio for stem in stems)])
    pictured = [
        (f"context: {recording.file or 'silence'}", session.context),
        *((f"{s.layer.id}: {s.layer.instrument}", s.audio) for s in stems),
        ("mix", mix.total),
    ]
    try_save_picture(folder / PICTURE, pictured, model.sample_rate)


def checkpoint_info(model: StemModel) -> dict[str, str]:
    """Name, version and digest of a model, as JSON reports hold them."""
    return {"name": model.name, "version": model.version, "sha256": model.sha256}


def load_stems(
    folder: pathlib.Path, record: SessionRecord, model: StemModel, session: Session
) -> list[LayeredStem]:
    """Decode the layers of a session folder from their tokens.

    Raises:
      UserError: tokens are missing, or of another codec or length.
    """
    cfg = model.codec.config
    stems = []
    for layer in record.layers:
        path = folder / layer.tokens
        tokens = session_file.read_tokens(path, model.codec)
        if tokens.shape[1] != cfg.frames(len(session.context)):
            raise UserError(
                f"{path}: not as long as the context; give the context of this session"
            )
        stems.append(decode_layer(model, session, layer, tokens))
    return stems


def check_same_session(
    folder: pathlib.Path, record: SessionRecord, model: StemModel, session: Session
) -> None:
    """Check that a session folder was made with this model and context.

    Raises:
      UserError: it was made with another context, checkpoint or --loop.
    """
    pairs = {
        "context": (record.context.sha256, session.recording.sha256),
        "checkpoint": (record.checkpoint.sha256, model.sha256),
        "--loop": (record.loop, session.is_loop),
    }
    for name, (stored, current) in pairs.items():
        if stored != current:
            raise UserError(
                f"{folder}: holds a session with another {name}; give another --out"
            )
