"""First stage of the commands: check arguments, load the model, read recordings."""

import contextlib
import dataclasses
import hashlib
import pathlib
import sys
from collections.abc import Iterator

import stemjax
from stemjax.api import Model
from stemjax.cli.sample.arguments import DecodeOptions, MusicOptions, OutputOptions
from stemjax.config.categories import category_of
from stemjax.config.decode import BEST, DECODE_PRESETS, DecodeConfig
from stemjax.decode.host import ProgressCallback
from stemjax.io.audio import read_audio
from stemjax.io.audio_files.formats import AudioFormat, check_format
from stemjax.io.cache import use_compilation_cache
from stemjax.io.errors import UserError
from stemjax.io.process.places import printable_name
from stemjax.session import midi, timing
from stemjax.session.folder import TrackFormat
from stemjax.session.music import MusicInfo, check_music
from stemjax.session.session import Recording, Session


def check_options(arguments: DecodeOptions) -> None:
    """Check what needs no model, so that a mistake is told at once.

    Raises:
      UserError: no such file or preset, a bad tempo or key, or no pretty_midi for --midi.
    """
    if arguments.preset not in ("", *DECODE_PRESETS):
        raise UserError(
            f"--preset {arguments.preset}: one of {', '.join(DECODE_PRESETS)}"
        )
    try:
        dataclasses.replace(BEST, **arguments.settings())
    except ValueError as error:
        raise UserError(f"--{error}") from None
    if isinstance(arguments, MusicOptions):
        check_music(music_info(arguments))
    if isinstance(arguments, OutputOptions) and arguments.midi:
        midi.require_pretty_midi()
    for flag in ("context", "stem", "tokens"):
        path = getattr(arguments, flag, "")
        if path and not pathlib.Path(path).is_file():
            raise UserError(f"--{flag} {path}: no such file; give an existing one")


def load_model(arguments: DecodeOptions) -> tuple[Model, DecodeConfig]:
    """Load the model and its decoding settings.

    Raises:
      UserError: no such model, preset or setting.
    """
    use_compilation_cache()
    model = stemjax.load(arguments.checkpoint, codec=arguments.codec)
    preset = arguments.preset or None
    return model, model.decode_config(preset, **arguments.settings())


def parse_instruments(names: str) -> list[int]:
    """Convert a list such as "bass,piano,drums" to category indices.

    Raises:
      UserError: an unknown name, or none.
    """
    names = [name for name in names.split(",") if name.strip()]
    if not names:
        raise UserError("--instruments: name one or more, such as bass,piano,drums")
    return [parse_instrument(name) for name in names]


def parse_instrument(name: str) -> int:
    """Convert a category name to its index.

    Raises:
      UserError: an unknown name.
    """
    try:
        return category_of(name)
    except ValueError as error:
        raise UserError(str(error)) from None


def read_recording(path: pathlib.Path) -> Recording:
    """Read an audio file without converting it.

    Raises:
      UserError: not readable.
    """
    audio, rate = read_audio(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Recording(printable_name(path), digest, audio, rate)


def music_info(arguments: MusicOptions) -> MusicInfo:
    """Tempo, key and metre that the user supplied."""
    return MusicInfo(arguments.bpm, arguments.key, arguments.beats_per_bar)


def track_format(
    arguments: OutputOptions, recording: Recording, model: Model
) -> TrackFormat:
    """Rate and format of the files to write.

    Raises:
      UserError: a format that cannot hold the channels and the rate of the tracks.
    """
    track_format = TrackFormat(model.sample_rate, arguments.format)
    if arguments.like_context:
        ending = pathlib.Path(recording.file or "").suffix.lower().lstrip(".")
        formats = {kind.value: kind for kind in AudioFormat}
        track_format = TrackFormat(
            recording.rate, formats.get(ending, arguments.format)
        )
    try:
        check_format(track_format.format, recording.audio.shape[1], track_format.rate)
    except UserError as error:
        raise UserError(f"--format, {recording.file}: {error}") from None
    return track_format


def print_estimate(
    model: Model, session: Session, config: DecodeConfig, count: int
) -> None:
    """Print the estimated decoding time on stderr."""
    frames = model.codec.config.frames(len(session.context))
    seconds = timing.estimate_seconds(model, frames, config, count)
    duration = timing.format_duration(seconds)
    print(f"decoding: {duration}, and compiling the first time", file=sys.stderr)


def print_loop(model: Model, session: Session) -> None:
    """Print the length of a loop."""
    if bars := session.bars:
        print(
            f"loop: {bars.bars} bars of {bars.beats_per_bar} beats at {bars.bpm:.1f} per"
            f" minute, {len(session.context) / model.sample_rate:.2f} s"
        )


@contextlib.contextmanager
def progress_bar(description: str) -> Iterator[ProgressCallback]:
    """A progress bar on stderr; it appears with the first step."""
    from tqdm import tqdm

    bars = []

    def progress(done: int, total: int) -> None:
        if not bars:
            bars.append(
                tqdm(desc=description, unit="step", total=total, file=sys.stderr)
            )
        bars[0].update(done - bars[0].n)

    try:
        yield progress
    finally:
        for bar in bars:
            bar.close()
