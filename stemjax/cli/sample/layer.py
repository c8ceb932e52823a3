"""Command `stemjax layer`: generate several stems, one on top of the other."""

import dataclasses
import functools
import pathlib

from stemjax.api import Model
from stemjax.cli.sample import inputs
from stemjax.cli.sample.arguments import LayerArguments
from stemjax.config.categories import CATEGORIES
from stemjax.config.decode import DecodeConfig
from stemjax.io.atomic import finish_replacing
from stemjax.io.errors import UserError, try_or_warn
from stemjax.io.process.lock import only_process
from stemjax.session import layering, midi, session_file
from stemjax.session.folder import (
    check_same_session,
    load_stems,
    save_session,
)
from stemjax.session.layering import LayeredStem, LayerRequest
from stemjax.session.session import Session, open_session, silent_recording


def run(arguments: LayerArguments) -> None:
    """Continue the session in --out, or start one.

    Raises:
      UserError: bad input; nothing is written.
    """
    out = pathlib.Path(arguments.out)
    with only_process(out):
        finish_replacing(out)
        _run(arguments, out)


def _run(arguments: LayerArguments, out: pathlib.Path) -> None:
    keep = parse_keep(arguments)
    names = arguments.instruments
    categories = inputs.parse_instruments(names) if names else []
    check_folder(out)
    check_context(arguments)
    inputs.check_options(arguments)
    model, config = inputs.load_model(arguments)
    session = start_session(arguments, model)
    track_format = inputs.track_format(arguments, session.recording, model)
    stems: list[LayeredStem] = []
    if (out / session_file.FILE).is_file():
        record = session_file.read(out)
        check_same_session(out, record, model, session)
        stems = load_stems(out, record, model, session)
    stems, requests = plan_layers(arguments, config, keep, categories, stems)
    # when layers are replaced, the old session stays complete until all are generated
    save_from = len(stems) + len(requests) if arguments.replace else 0
    inputs.print_loop(model, session)
    print_plan(arguments, len(stems), requests)

    def save() -> None:
        save_session(out, model, session, stems, track_format)
        if arguments.midi:
            save_midi(out, model, session, stems)

    for number, request in enumerate(requests):
        if number == 0:
            inputs.print_estimate(model, session, request.config, request.variations)
        label = f"{len(stems) + 1}: {CATEGORIES[request.category]}"
        with inputs.progress_bar(label) as progress:
            stems.append(
                layering.add_layer(model, session, stems, request, progress=progress)
            )
        if len(stems) >= save_from:
            save()
        print(describe_layer(stems[-1]))
    if not requests:
        save()
    print(f"{out / f'mix.{track_format.ending}'}  {out / session_file.FILE}")


def check_folder(out: pathlib.Path) -> None:
    """Check that a new session overwrites no files of another command.

    Raises:
      UserError: the folder holds a stem of `sample` or `edit`.
    """
    if (out / session_file.FILE).is_file():
        return
    for name in ("sample.json", "edit.json"):
        if (out / name).is_file():
            raise UserError(
                f"{out}: holds {name} of another command; give another --out"
            )


def parse_keep(arguments: LayerArguments) -> int | None:
    """Number of the variation to keep; None: the best.

    Raises:
      UserError: neither "best" nor a number from 1 to --variations.
    """
    keep, variations = arguments.keep, arguments.variations
    if keep == "best":
        return None
    if not keep.isdecimal() or not 1 <= int(keep) <= variations:
        raise UserError(
            f"--keep {keep}: give best, or a number from 1 to --variations {variations}"
        )
    return int(keep)


def check_context(arguments: LayerArguments) -> None:
    """Check that there is one context.

    Raises:
      UserError: neither or both of --context and --silence, or too short a silence.
    """
    if arguments.silence and arguments.context:
        raise UserError("--silence and --context: give one of them")
    if not (arguments.silence or arguments.context):
        raise UserError(
            "give --context FILE, or --silence SECONDS to start without one"
        )


def start_session(arguments: LayerArguments, model: Model) -> Session:
    """Read the context, or make silence.

    Raises:
      UserError: bad audio.
    """
    if arguments.silence:
        recording = silent_recording(arguments.silence, model.sample_rate)
    else:
        recording = inputs.read_recording(pathlib.Path(arguments.context))
    return open_session(
        model,
        recording,
        inputs.music_info(arguments),
        name=arguments.context or "--silence",
        is_loop=arguments.loop,
        allow_silent=arguments.allow_silent_context or bool(arguments.silence),
        needs_music=True,
    )


def plan_layers(
    arguments: LayerArguments,
    config: DecodeConfig,
    keep: int | None,
    categories: list[int],
    stems: list[LayeredStem],
) -> tuple[list[LayeredStem], list[LayerRequest]]:
    """Decide which layers stay and which are generated.

    Args:
      keep: see `parse_keep`.
      categories: --instruments.
      stems: layers of the session in --out.

    Raises:
      UserError: --instruments or --replace do not match the session.
    """
    request = LayerRequest(
        category=-1,
        seed=arguments.seed,
        config=config,
        preset=arguments.preset or None,
        variations=arguments.variations,
        keep=keep,
    )
    out, number = arguments.out, arguments.replace
    if number:
        if not 1 <= number <= len(stems):
            raise UserError(
                f"--replace {number}: {out} has {len(stems)} layers; give one of them"
            )
        if len(categories) > 1:
            raise UserError("--replace: name one instrument, or none to keep it")
        instrument = stems[number - 1].layer.instrument
        category = (categories or [inputs.parse_instrument(instrument)])[0]
        request = dataclasses.replace(request, category=category)
        return layering.plan_replacement(stems, number, request)
    if not categories:
        raise UserError("--instruments: name one or more, such as bass,piano,drums")
    for stem, category in zip(stems, categories, strict=False):
        layer, name = stem.layer, CATEGORIES[category]
        if layer.instrument != name:
            raise UserError(
                f"{out}: its layer {layer.id} is {layer.instrument}, not {name}; give"
                f" --replace {layer.id}, or another --out"
            )
    further = categories[len(stems) :]
    return stems, [dataclasses.replace(request, category=c) for c in further]


def print_plan(
    arguments: LayerArguments, num_stems: int, requests: list[LayerRequest]
) -> None:
    """Print what is generated and from what."""
    if arguments.silence and requests and num_stems == 0:
        print("starting from silence: the first stem has no context")
    if num_stems:
        print(f"continuing after layer {num_stems}")
    if requests and requests[0].variations > 1 and requests[0].keep is None:
        print(
            f"of {requests[0].variations} variations, the one with the highest context"
            " gain is kept"
        )


def save_midi(
    out: pathlib.Path, model: Model, session: Session, stems: list[LayeredStem]
) -> None:
    """Write layer_NN.mid of every layer; an error is one line on stderr."""
    for stem in stems:
        path = out / pathlib.Path(stem.layer.stem).with_suffix(".mid")
        category = CATEGORIES.index(stem.layer.instrument)
        write = functools.partial(
            midi.write_midi,
            path,
            stem.audio,
            model.sample_rate,
            category,
            session.music.bpm,
        )
        try_or_warn(write, f"{path}: not written")


def describe_layer(stem: LayeredStem) -> str:
    """One line about a layer: number, instrument, gain, variation, scores."""
    layer = stem.layer
    scores = "".join(
        f", {name} {values[layer.kept_variation - 1]:.3f}"
        for name, values in layer.scores.items()
    )
    return (
        f"{layer.id}: {layer.instrument}, {layer.gain_db:+.1f} dB, variation"
        f" {layer.kept_variation}{scores}"
    )
