"""`python sample.py edit`: part of a stem made anew."""

import json
import pathlib

import numpy as np

from stemjax import __version__
from stemjax.api import Kept
from stemjax.arrays.mel import mel_power
from stemjax.cli.sample import opening
from stemjax.cli.sample.arguments import Edit
from stemjax.config.categories import CATEGORIES
from stemjax.io.atomic import write_text
from stemjax.io.audio import read_audio, to_mono
from stemjax.io.audio_formats import write_audio
from stemjax.io.errors import UserError
from stemjax.io.picture import save_spectrograms
from stemjax.session import editing, hearing, midi, music, session_file
from stemjax.session.editing import Change
from stemjax.session.folder import about_checkpoint
from stemjax.session.mixing import fitted, mix_down


def run(command: Edit) -> None:
    """Decode what is not kept, write the stem and its mix.

    Raises:
      UserError: what cannot be edited; nothing is written then.
    """
    if not (command.stem or command.tokens):
        raise UserError("give --stem FILE, its --tokens, or both")
    (category,) = opening.categories_of(command.instrument)
    model, config = opening.load(command)
    path = pathlib.Path(command.context)
    opened = hearing.hear(
        model,
        opening.read_recording(path),
        music.NOTHING,
        name=str(path),
        allow_silent=command.allow_silent_context,
    )
    delivery = opening.delivery_of(command, opened.recording, model)
    context = opened.scene.context
    codec = model.codec
    cfg = codec.config
    given, codes = _stem(command, model, len(context))
    frames = cfg.frames(len(context))
    change = Change(
        start=command.start,
        stop=command.stop,
        keep_fraction=command.keep_fraction,
        keep_onsets=command.keep_onsets,
        keep_levels=command.keep_levels,
    )
    is_kept = editing.kept_codes(change, given, frames, cfg)
    codes = np.pad(codes, ((0, 0), (0, frames - codes.shape[1])))
    opening.say_expected(opened.scene, config, command.variations)
    with opening.bar("decoding") as progress:
        results = model.generate(
            opened.recording.audio,
            opened.recording.rate,
            instrument=CATEGORIES[category],
            seed=command.seed,
            variations=command.variations,
            preset=command.preset or None,
            allow_silent_context=command.allow_silent_context,
            name=str(path),
            kept=Kept(codes, is_kept),
            progress=progress,
            **command.settings(),
        )
    results = results if isinstance(results, list) else [results]
    is_fresh = ~is_kept.all(axis=0)
    out = pathlib.Path(command.out)
    entries = []
    for k, result in enumerate(results, start=1):
        tail = "" if len(results) == 1 else f"_{k:02d}"
        level = editing.level_of(given, result.stem, is_fresh, cfg)
        stem = editing.spliced(given, level * result.stem, is_fresh, cfg)
        entries.append(_write(out, tail, command, opened, delivery, result, stem))
    report = {
        "format": 1,
        "stemjax": __version__,
        "checkpoint": about_checkpoint(model),
        "codec": {"name": codec.name, "sha256": codec.sha256},
        "context": {"file": path.name, "sha256": opened.recording.sha256},
        "instrument": CATEGORIES[category],
        "change": {
            "from": command.start,
            "to": command.stop,
            "keep_fraction": command.keep_fraction,
            "keep_onsets": command.keep_onsets,
            "keep_levels": command.keep_levels,
        },
        "kept_share": float(is_kept.mean()),
        "edits": entries,
    }
    write_text(out / "edit.json", json.dumps(report, indent=2, sort_keys=True) + "\n")
    for entry in entries:
        print(f"{out / entry['stem']}  {out / entry['mix']}")
    print(f"kept {100 * is_kept.mean():.0f} % of the tokens")


def _stem(command: Edit, model, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """The stem [N] as it sounds, and its codes [Q, T]; at most the context's length."""
    cfg = model.codec.config
    audio = codes = None
    if command.stem:
        name = command.stem
        recording, rate = read_audio(name)
        audio = to_mono(recording, rate, model.sample_rate)
        if len(audio) > samples + cfg.hop:
            raise UserError(
                f"{name}: {len(audio) / model.sample_rate:.2f} s, longer than the"
                f" context's {samples / model.sample_rate:.2f} s; cut it"
            )
        audio = audio[:samples]
        if not command.tokens:
            return audio, model.encode_contexts(audio[None])[0]
    path = pathlib.Path(command.tokens)
    codes = session_file.read_tokens(path, model.codec.sha256, cfg.num_codebooks)
    if audio is None:
        if codes.shape[1] > cfg.frames(samples):
            raise UserError(f"{path}: longer than the context; give that of its own")
        audio = model.codec.decode(codes[None])[0][:samples]
    elif codes.shape[1] != cfg.frames(len(audio)):
        raise UserError(f"{path}: not as long as {command.stem}; give its own tokens")
    return audio, codes


def _write(out, tail, command, opened, delivery, result, stem) -> dict:
    """Tracks, tokens and picture of one variation; returns its entry of the report."""
    model, recording = opened.scene.model, opened.recording
    ending = delivery.format.value
    samples = round(len(stem) * delivery.rate / model.sample_rate)
    context = fitted(recording.audio, recording.rate, delivery.rate, samples)
    track = fitted(stem, model.sample_rate, delivery.rate, samples)
    tracks = mix_down(context, [track])
    entry = {
        "stem": f"stem{tail}.{ending}",
        "mix": f"mix{tail}.{ending}",
        "tokens": f"tokens{tail}.npz",
        "picture": f"edit{tail}.png",
        "gain": tracks.gain,
        "settings": result.settings,
    }
    session_file.save_tokens(out / entry["tokens"], result.tokens, model.codec.sha256)
    write_audio(out / entry["stem"], track, delivery.rate)
    write_audio(out / entry["mix"], tracks.mix, delivery.rate)
    save_spectrograms(
        out / entry["picture"],
        [
            (title, mel_power(audio, sample_rate=model.sample_rate))
            for title, audio in (
                (f"context: {recording.file}", opened.scene.context),
                (f"stem: {result.settings['instrument']}", stem),
            )
        ],
        seconds=len(stem) / model.sample_rate,
        order=result.order,
        steps=result.settings["steps"],
    )
    if command.midi:
        entry["midi"] = f"stem{tail}.mid"
        category = CATEGORIES.index(result.settings["instrument"])
        notes = midi.notes_of(stem, model.sample_rate, category)
        midi.write_midi(out / entry["midi"], notes, category, None)
    return entry
