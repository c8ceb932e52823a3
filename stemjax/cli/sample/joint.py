"""`stemjax sample --joint-seconds`: generate a context together with its stem."""

import pathlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from stemjax.api import Kept, Model, generate_joint
from stemjax.api.joint import check_joint
from stemjax.cli.sample import inputs, outputs
from stemjax.cli.sample.arguments import SampleArguments
from stemjax.io.audio_files.formats import write_audio
from stemjax.io.errors import UserError
from stemjax.session import editing, session_file
from stemjax.session.mixing import resample_to_length
from stemjax.session.picture import try_save_picture
from stemjax.session.session import Recording, Session


def sample_joint(
    model: Model,
    arguments: SampleArguments,
    category: int,
    report_file: str,
    *,
    started: float,
    timings: Mapping[str, float],
) -> dict[str, Any]:
    """Generate contexts and stems; write audio, tokens, report, then MIDI and pictures.

    The recording --context, if there is one, is the beginning of each context.

    Args:
      report_file: name of the report.
      started: start of the command, `time.perf_counter()`.
      timings: further durations for the report, s.

    Returns:
      The report.

    Raises:
      UserError: bad input, or a model that is not joint; nothing is written.
    """
    if arguments.loop or arguments.show_decoding:
        raise UserError("--joint-seconds: leave out --loop and --show-decoding")
    check_joint(model, arguments.joint_seconds)
    cfg, out = model.codec.config, pathlib.Path(arguments.out)
    recording, beginning = read_beginning(model, arguments)
    track_format = inputs.track_format(arguments, recording, model)
    given = len(beginning) // cfg.hop  # frames
    frames = cfg.frames(round(arguments.joint_seconds * model.sample_rate))
    is_new = np.arange(frames) >= given
    kept = None
    if given:
        codes = model.encode_audio(beginning[None])[0, :, :given]
        codes = np.pad(codes, ((0, 0), (0, frames - given)))
        kept = Kept(codes, np.broadcast_to(~is_new, codes.shape))
    with inputs.progress_bar("decoding") as progress:
        results = generate_joint(
            model,
            arguments.joint_seconds,
            instrument=arguments.instrument,
            seed=arguments.seed,
            variations=arguments.variations,
            preset=arguments.preset or None,
            context=kept,
            progress=progress,
            **arguments.settings(),
        )
    destination = outputs.Destination(out, track_format, arguments.midi)
    entries, contexts = [], []
    for number, result in enumerate(results, start=1):
        suffix = outputs.file_suffix(number, len(results))
        gain = editing.matching_gain(beginning, result.context, is_new, cfg)
        audio = editing.splice(beginning, gain * result.context, is_new, cfg)
        context = recording._replace(audio=audio[:, None], rate=model.sample_rate)
        session = Session(context, audio, inputs.music_info(arguments))
        entry = outputs.write_variation(
            destination, suffix, model, session, category, result, result.stem
        ) | {
            "context_track": f"context{suffix}.{track_format.ending}",
            "context_tokens": f"context_tokens{suffix}.npz",
            "picture": f"sample{suffix}.png",
        }
        samples = outputs.track_length(model, session, track_format)
        track = resample_to_length(audio, model.sample_rate, track_format.rate, samples)
        write_audio(out / entry["context_track"], track, track_format.rate)
        session_file.save_tokens(
            out / entry["context_tokens"], result.context_tokens, model.codec
        )
        entries.append(entry)
        contexts.append(audio)
    seconds = results[0].seconds
    decoding = max(seconds["decode"] - seconds["compile"], 1e-9)
    report = {
        **outputs.report_header(model, session),
        "joint_seconds": arguments.joint_seconds,
        "given_seconds": given / cfg.frame_rate,
        "sample_rate": track_format.rate,
        "samples": samples,
        "timings": {
            **seconds,
            **timings,
            "times_real_time": len(results) * seconds["audio"] / decoding,
            "total": time.perf_counter() - started,
        },
        **(entries[0] if len(entries) == 1 else {"variations": entries}),
    }
    outputs.write_report(out / report_file, report)
    for entry, result, audio in zip(entries, results, contexts, strict=True):
        outputs.write_midi(out, entry, model, session, category, result.stem)
        tracks = [
            ("context (generated)", audio),
            (f"stem: {result.settings['instrument']}", result.stem),
        ]
        try_save_picture(out / entry["picture"], tracks, result.sample_rate)
    return report


def read_beginning(
    model: Model, arguments: SampleArguments
) -> tuple[Recording, np.ndarray]:
    """The recording that each context begins with, and its audio [n] for the model.

    Both are empty without --context.

    Raises:
      UserError: a recording that cannot be used, or as long as --joint-seconds.
    """
    if not arguments.context:
        nothing = np.zeros(0, np.float32)
        return Recording(None, "", nothing[:, None], model.sample_rate), nothing
    path = pathlib.Path(arguments.context)
    recording = inputs.read_recording(path)
    audio = model.prepare_context(
        recording.audio,
        recording.rate,
        allow_silent=arguments.allow_silent_context,
        name=str(path),
    )
    if not len(audio) / model.sample_rate < arguments.joint_seconds:
        raise UserError(
            f"--joint-seconds {arguments.joint_seconds:g}: {path} is"
            f" {len(audio) / model.sample_rate:.2f} s; give more, or leave it out to"
            " generate a stem for this context"
        )
    return recording, audio
