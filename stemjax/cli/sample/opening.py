"""What the commands do first: check what was asked, load, listen."""

import contextlib
import hashlib
import pathlib
import sys
from collections.abc import Callable, Iterator

import stemjax
from stemjax.api import Model
from stemjax.cli.sample.arguments import Decoding, Delivered, Musical
from stemjax.config.categories import category_of
from stemjax.config.decode import DecodeConfig
from stemjax.io.audio import read_audio
from stemjax.io.audio_formats import AudioFormat
from stemjax.io.cache import use_compilation_cache
from stemjax.io.errors import UserError
from stemjax.session import midi, timing
from stemjax.session.folder import Delivery, Recording
from stemjax.session.layering import Scene
from stemjax.session.music import Music


def load(command: Decoding) -> tuple[Model, DecodeConfig]:
    """The model and the settings that were asked for.

    Raises:
      UserError: no such model, preset or setting.
    """
    use_compilation_cache()
    if command.variations < 1:
        raise UserError(f"variations must be >= 1, got {command.variations}")
    model = stemjax.load(command.checkpoint, codec=command.codec)
    return model, model.decode_config(command.preset or None, **command.settings())


def categories_of(names: str) -> list[int]:
    """bass,piano,drums as categories.

    Raises:
      UserError: an unknown one, or none.
    """
    given = [name for name in names.split(",") if name.strip()]
    if not given:
        raise UserError("--instruments: name one or more, such as bass,piano,drums")
    try:
        return [category_of(name) for name in given]
    except ValueError as error:
        raise UserError(str(error)) from None


def read_recording(path: pathlib.Path) -> Recording:
    """A file as it is.

    Raises:
      UserError: no audio.
    """
    audio, rate = read_audio(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Recording(path.name, digest, audio, rate)


def told_of(command: Musical) -> Music:
    """What a person told of the music."""
    return Music(command.bpm, command.key, command.beats_per_bar)


def delivery_of(command: Delivered, recording: Recording, model: Model) -> Delivery:
    """At which rate and in which format tracks are written.

    Raises:
      UserError: MIDI without a writer of it.
    """
    if command.midi:
        midi.check_writer()
    if not command.like_context:
        return Delivery(model.sample_rate, command.format)
    ending = pathlib.Path(recording.file or "").suffix.lower().lstrip(".")
    known = {kind.value: kind for kind in AudioFormat}
    return Delivery(recording.rate, known.get(ending, command.format))


def say_expected(scene: Scene, config: DecodeConfig, count: int) -> None:
    """One line on stderr before a decoding begins."""
    cfg = scene.model.codec.config
    seconds = timing.expected_seconds(
        scene.model, cfg.frames(len(scene.context)), config, count
    )
    said = timing.in_words(seconds)
    print(f"decoding: {said}, and compiling the first time", file=sys.stderr)


@contextlib.contextmanager
def bar(description: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that is drawn with the first step."""
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
        for drawn in bars:
            drawn.close()
