"""`python sample.py layer`: one stem upon another."""

import pathlib

from stemjax.cli.sample import opening
from stemjax.cli.sample.arguments import Layer
from stemjax.config.categories import CATEGORIES
from stemjax.io.errors import UserError
from stemjax.session import folder, hearing, layering, midi, session_file
from stemjax.session.layering import Request, Voice


def run(command: Layer) -> None:
    """Go on with the session of --out, or begin one.

    Raises:
      UserError: what cannot be layered; nothing is written then.
    """
    out = pathlib.Path(command.out)
    keep = _keep_of(command)
    wanted = opening.categories_of(command.instruments) if command.instruments else []
    model, config = opening.load(command)
    if command.silence:
        if command.context:
            raise UserError("--silence and --context: give one of them")
        recording = hearing.silence(command.silence, model.sample_rate)
    elif command.context:
        recording = opening.read_recording(pathlib.Path(command.context))
    else:
        raise UserError(
            "give --context FILE, or --silence SECONDS to begin from nothing"
        )
    name = command.context or "--silence"
    opened = hearing.hear(
        model,
        recording,
        opening.told_of(command),
        name=name,
        is_loop=command.loop,
        allow_silent=command.allow_silent_context or bool(command.silence),
        needs_music=True,
    )
    delivery = opening.delivery_of(command, opened.recording, model)
    scene = opened.scene
    voices: list[Voice] = []
    if (out / session_file.FILE).is_file():
        session = session_file.read(out)
        folder.check_same(out, session, scene, opened.recording)
        voices = folder.load_voices(out, session, scene)

    def request(category: int) -> Request:
        return Request(
            category=category,
            seed=command.seed,
            config=config,
            preset=command.preset or None,
            variations=command.variations,
            keep=keep,
        )

    replaced = command.replace
    if replaced:
        if not 1 <= replaced <= len(voices):
            raise UserError(
                f"--replace {replaced}: {out} has {len(voices)} layers; give one of them"
            )
        if len(wanted) > 1:
            raise UserError("--replace: name one instrument, or none to keep it")
        own = layering.request_of(voices[replaced - 1].layer).category
        first = request(wanted[0] if wanted else own)
        voices, asked = layering.remade(voices, replaced, first)
    else:
        asked = [request(category) for category in _further(out, voices, wanted)]
    # stopped while layers are replaced, the session that was there is still whole
    whole = len(voices) + len(asked) if replaced else 0
    for line in _introduction(command, opened, voices, asked):
        print(line)
    for one in asked:
        if one is asked[0]:
            opening.say_expected(scene, one.config, one.variations)
        instrument = CATEGORIES[one.category]
        with opening.bar(f"{len(voices) + 1}: {instrument}") as progress:
            voices.append(layering.add(scene, voices, one, progress=progress))
        if len(voices) >= whole:
            _save(out, command, opened, delivery, voices)
        print(_told(voices[-1]))
    if not asked:
        _save(out, command, opened, delivery, voices)
    print(f"{out / f'mix.{delivery.format.value}'}  {out / session_file.FILE}")


def _keep_of(command: Layer) -> int | None:
    if command.keep == "best":
        return None
    if not command.keep.isdigit() or not 1 <= int(command.keep) <= command.variations:
        raise UserError(
            f"--keep {command.keep}: give best, or a number from 1 to --variations"
            f" {command.variations}"
        )
    return int(command.keep)


def _further(out: pathlib.Path, voices: list[Voice], wanted: list[int]) -> list[int]:
    """The instruments that are not there yet."""
    if not wanted:
        raise UserError("--instruments: name one or more, such as bass,piano,drums")
    names = [CATEGORIES[category] for category in wanted]
    for voice, name in zip(voices, names, strict=False):
        if voice.layer.instrument != name:
            raise UserError(
                f"{out}: its layer {voice.layer.id} is {voice.layer.instrument}, not"
                f" {name}; give --replace {voice.layer.id}, or another --out"
            )
    return wanted[len(voices) :]


def _introduction(command, opened, voices, asked) -> list[str]:
    lines = [opened.note] if opened.note else []
    if command.silence and asked and not voices:
        lines.append("beginning from silence: the first stem answers nothing")
    if voices:
        lines.append(f"going on from layer {len(voices)}")
    if asked and asked[0].variations > 1 and asked[0].keep is None:
        lines.append(
            f"of {asked[0].variations} variations that with the highest context gain"
            " over hearing nothing is kept"
        )
    return lines


def _save(out, command, opened, delivery, voices) -> None:
    folder.save(out, opened.scene, opened.recording, voices, opened.music, delivery)
    if command.midi:
        for voice in voices:
            category = CATEGORIES.index(voice.layer.instrument)
            rate = opened.scene.model.sample_rate
            midi.write_midi(
                out / f"{pathlib.Path(voice.layer.stem).stem}.mid",
                midi.notes_of(voice.stem, rate, category),
                category,
                opened.music.bpm,
            )


def _told(voice: Voice) -> str:
    layer = voice.layer
    scores = "".join(
        f", {name} {values[layer.kept_variation - 1]:.3f}"
        for name, values in layer.scores.items()
    )
    return (
        f"{layer.id}: {layer.instrument}, {layer.gain_db:+.1f} dB, variation"
        f" {layer.kept_variation}{scores}"
    )
