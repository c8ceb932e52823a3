"""`python sample.py`: a recording and an instrument in, a stem that fits out."""

import json
import pathlib
import time
from typing import Any, NamedTuple

import numpy as np

from stemjax import __version__
from stemjax.api import Model, Result
from stemjax.api.result import mixed
from stemjax.arrays.mel import mel_power
from stemjax.cli.sample import opening
from stemjax.cli.sample.arguments import Answer
from stemjax.config.categories import CATEGORIES
from stemjax.config.decode import DecodeConfig
from stemjax.config.runs import to_json
from stemjax.io.atomic import write_text
from stemjax.io.audio_formats import write_audio
from stemjax.io.errors import UserError
from stemjax.io.picture import save_spectrograms
from stemjax.io.release import PRETRAINED
from stemjax.session import hearing, layering, midi, session_file
from stemjax.session.folder import Delivery, about_checkpoint
from stemjax.session.hearing import Opened
from stemjax.session.layering import Request
from stemjax.session.mixing import fitted, mix_down

REPORT = "sample.json"


class Asked(NamedTuple):
    """One context, one instrument."""

    path: pathlib.Path
    category: int
    out: pathlib.Path


def run(command: Answer) -> None:
    """Load, listen, decode, write.

    Raises:
      UserError: what cannot be answered; nothing is written then.
    """
    started = time.perf_counter()
    (category,) = opening.categories_of(command.instrument)
    path = pathlib.Path(command.context or PRETRAINED / "example" / "context.flac")
    if command.show_decoding and command.loop:
        raise UserError("--show-decoding and --loop: a loop is decoded in two passes")
    model, config = opening.load(command)
    loaded = time.perf_counter()
    asked = Asked(path, category, pathlib.Path(command.out))
    report = answer(model, config, command, asked, show_decoding=command.show_decoding)
    report["timings"] |= {
        "load": loaded - started,
        "total": time.perf_counter() - started,
    }
    save_report(asked.out, report)
    say(report, asked.out)


def answer(
    model: Model,
    config: DecodeConfig,
    command: Any,
    asked: Asked,
    *,
    show_decoding: bool = False,
) -> dict[str, Any]:
    """Write audio, tokens and pictures; returns what sample.json will hold.

    command: the fields of `Decoding`, `Musical` and `Delivered`.
    """
    opened = hearing.hear(
        model,
        opening.read_recording(asked.path),
        opening.told_of(command),
        name=str(asked.path),
        is_loop=command.loop,
        allow_silent=command.allow_silent_context,
    )
    delivery = opening.delivery_of(command, opened.recording, model)
    if opened.note:
        print(opened.note)
    opening.say_expected(opened.scene, config, command.variations)
    request = Request(
        category=asked.category,
        seed=command.seed,
        config=config,
        preset=command.preset or None,
        variations=command.variations,
    )
    results = _decode(opened, request)
    entries = []
    for k, result in enumerate(results, start=1):
        tail = "" if len(results) == 1 else f"_{k:02d}"
        order = result.order if show_decoding else None
        entries.append(_write(asked, tail, command, opened, delivery, result, order))
    first = results[0]
    report = {
        "format": 1,
        "stemjax": __version__,
        "checkpoint": about_checkpoint(model),
        "codec": {"name": model.codec.name, "sha256": model.codec.sha256},
        "context": {"file": asked.path.name, "sha256": opened.recording.sha256},
        "sample_rate": delivery.rate,
        "samples": entries[0].pop("samples"),
        "loop": command.loop,
        "music": opened.music._asdict(),
        "timings": {
            **first.seconds,
            "times_real_time": len(results)
            * first.seconds["audio"]
            / max(first.seconds["decode"] - first.seconds["compile"], 1e-9),
        },
    }
    for entry in entries[1:]:
        entry.pop("samples")
    return report | (entries[0] if len(entries) == 1 else {"variations": entries})


def _decode(opened: Opened, request: Request) -> list[Result]:
    """A result for each variation."""
    scene, started = opened.scene, time.perf_counter()
    with opening.bar("decoding") as progress:
        found = layering.decode(scene, scene.context, request, progress=progress)
    seconds = {
        "audio": len(scene.context) / scene.model.sample_rate,
        "decode": time.perf_counter() - started,
        "compile": found.compile_seconds,
    }
    return [
        mixed(
            scene.context,
            found.stems[k],
            sample_rate=scene.model.sample_rate,
            tokens=found.tokens[k],
            order=found.order[k],
            settings={
                "instrument": CATEGORIES[request.category],
                "seed": request.seed,
                "variation": k,
                "preset": request.preset,
                **to_json(request.config),
            },
            seconds=seconds,
        )
        for k in range(request.variations)
    ]


def _write(
    asked: Asked,
    tail: str,
    command: Any,
    opened: Opened,
    delivery: Delivery,
    result: Result,
    order: np.ndarray | None,
) -> dict[str, Any]:
    """The files of one variation; returns its entry of the report."""
    model, recording, out = opened.scene.model, opened.recording, asked.out
    samples = round(len(result.stem) * delivery.rate / result.sample_rate)
    context = fitted(recording.audio, recording.rate, delivery.rate, samples)
    stem = fitted(result.stem, result.sample_rate, delivery.rate, samples)
    tracks = mix_down(context, [stem])
    ending = delivery.format.value
    entry = {
        "stem": f"stem{tail}.{ending}",
        "mix": f"mix{tail}.{ending}",
        "tokens": f"tokens{tail}.npz",
        "picture": f"sample{tail}.png",
        "gain": tracks.gain,
        "samples": samples,
        "settings": result.settings,
        "warnings": list(result.warnings),
    }
    write_audio(out / entry["stem"], stem, delivery.rate)
    write_audio(out / entry["mix"], tracks.mix, delivery.rate)
    session_file.save_tokens(out / entry["tokens"], result.tokens, model.codec.sha256)
    if command.midi:
        entry["midi"] = f"stem{tail}.mid"
        notes = midi.notes_of(result.stem, result.sample_rate, asked.category)
        midi.write_midi(out / entry["midi"], notes, asked.category, opened.music.bpm)
    save_spectrograms(
        out / entry["picture"],
        [
            (title, mel_power(audio, sample_rate=model.sample_rate))
            for title, audio in (
                (f"context: {asked.path.name}", result.context),
                (f"stem: {result.settings['instrument']}", result.stem),
                ("mix", result.mix),
            )
        ],
        seconds=len(result.stem) / result.sample_rate,
        order=order,
        steps=result.settings["steps"],
    )
    return entry


def save_report(out: pathlib.Path, report: dict[str, Any]) -> None:
    """Write sample.json."""
    write_text(out / REPORT, json.dumps(report, indent=2, sort_keys=True) + "\n")


def say(report: dict[str, Any], out: pathlib.Path) -> None:
    """What was made, in a few lines."""
    times = report["timings"]
    for entry in report.get("variations", [report]):
        print(f"{out / entry['stem']}  {out / entry['mix']}")
        for warning in entry["warnings"]:
            print(f"note: {warning}")
    print(
        f"{times['audio']:.1f} s of audio, decoded at {times['times_real_time']:.2f} x"
        f" real time; compiling took {times['compile']:.1f} s,"
        f" everything {times['total']:.1f} s"
    )
