"""Command `stemjax sample`: generate a stem for a context mix."""

import pathlib
import time
from collections.abc import Mapping
from typing import Any

from stemjax.api import Model
from stemjax.cli.sample import inputs, outputs
from stemjax.cli.sample.arguments import BatchArguments, SampleArguments
from stemjax.cli.sample.joint import sample_joint
from stemjax.config.decode import DecodeConfig
from stemjax.io.errors import UserError
from stemjax.io.release import PRETRAINED
from stemjax.session.picture import try_save_picture
from stemjax.session.session import open_session

EXAMPLE = PRETRAINED / "example" / "context.flac"
REPORT = "sample.json"


def run(arguments: SampleArguments) -> None:
    """Generate the stems of one context.

    Raises:
      UserError: bad input; nothing is written.
    """
    started = time.perf_counter()
    category = inputs.parse_instrument(arguments.instrument)
    if arguments.show_decoding and arguments.loop:
        raise UserError(
            "--show-decoding and --loop: a loop is decoded in two passes; give one of"
            " them"
        )
    inputs.check_options(arguments)
    model, config = inputs.load_model(arguments)
    timings = {"load": time.perf_counter() - started}
    if arguments.joint_seconds is not None:
        report = sample_joint(
            model, arguments, category, REPORT, started=started, timings=timings
        )
        print_summary(report, pathlib.Path(arguments.out))
        return
    sample_recording(
        model,
        config,
        arguments,
        pathlib.Path(arguments.context or EXAMPLE),
        category,
        pathlib.Path(arguments.out),
        started=started,
        timings=timings,
        show_decoding=arguments.show_decoding,
    )


def sample_recording(
    model: Model,
    config: DecodeConfig,
    arguments: SampleArguments | BatchArguments,
    path: pathlib.Path,
    category: int,
    out: pathlib.Path,
    *,
    started: float,
    timings: Mapping[str, float],
    show_decoding: bool = False,
) -> None:
    """Generate stems for a recording; write audio, tokens, report, then MIDI and pictures.

    Args:
      path: the recording.
      category: index into `CATEGORIES`.
      out: folder to write.
      started: start of the command, `time.perf_counter()`.
      timings: further durations for the report, s.
      show_decoding: add the order of decoding to the pictures.

    Raises:
      UserError: the recording cannot be used; nothing is written.
    """
    session = open_session(
        model,
        inputs.read_recording(path),
        inputs.music_info(arguments),
        name=str(path),
        is_loop=arguments.loop,
        allow_silent=arguments.allow_silent_context,
    )
    track_format = inputs.track_format(arguments, session.recording, model)
    inputs.print_loop(model, session)
    inputs.print_estimate(model, session, config, arguments.variations)
    with inputs.progress_bar("decoding") as progress:
        results = model.generate_stems(
            session.context,
            config,
            category=category,
            seed=arguments.seed,
            variations=arguments.variations,
            preset=arguments.preset or None,
            loop=arguments.loop,
            progress=progress,
        )
    destination = outputs.Destination(out, track_format, arguments.midi)
    entries = []
    for number, result in enumerate(results, start=1):
        suffix = outputs.file_suffix(number, len(results))
        entry = outputs.write_variation(
            destination, suffix, model, session, category, result, result.stem
        )
        entries.append(entry | {"picture": f"sample{suffix}.png"})
    seconds = results[0].seconds
    decoding = max(seconds["decode"] - seconds["compile"], 1e-9)
    report = {
        **outputs.report_header(model, session),
        "sample_rate": track_format.rate,
        "samples": outputs.track_length(model, session, track_format),
        "loop": arguments.loop,
        "request": outputs.request_of(arguments, model, config, category),
        "music": session.music._asdict(),
        "timings": {
            **seconds,
            **timings,
            "times_real_time": len(results) * seconds["audio"] / decoding,
            "total": time.perf_counter() - started,
        },
        **(entries[0] if len(entries) == 1 else {"variations": entries}),
    }
    outputs.write_report(out / REPORT, report)
    for entry, result in zip(entries, results, strict=True):
        outputs.write_midi(out, entry, model, session, category, result.stem)
        tracks = [
            (f"context: {session.recording.file}", result.context),
            (f"stem: {result.settings['instrument']}", result.stem),
            ("mix", result.mix),
        ]
        try_save_picture(
            out / entry["picture"],
            tracks,
            result.sample_rate,
            order=result.order if show_decoding else None,
            steps=config.steps_for(len(result.order)),
        )
    print_summary(report, out)


def print_summary(report: Mapping[str, Any], out: pathlib.Path) -> None:
    """Print the written files, warnings and timings."""
    timings = report["timings"]
    for entry in report.get("variations", [report]):
        print(f"{out / entry['stem']}  {out / entry['mix']}")
        for warning in entry["warnings"]:
            print(f"note: {warning}")
    print(
        f"{timings['audio']:.1f} s of audio, decoded at"
        f" {timings['times_real_time']:.2f} x real time; compiling took"
        f" {timings['compile']:.1f} s, everything {timings['total']:.1f} s"
    )
