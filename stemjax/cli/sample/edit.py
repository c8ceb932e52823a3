"""Command `stemjax edit`: regenerate part of a stem."""

import pathlib

import numpy as np

from stemjax.api import Kept, Model
from stemjax.cli.sample import inputs, outputs
from stemjax.cli.sample.arguments import EditArguments
from stemjax.config.categories import CATEGORIES
from stemjax.io.audio import read_audio, to_mono
from stemjax.io.errors import UserError
from stemjax.session import editing, session_file
from stemjax.session.editing import EditRequest
from stemjax.session.music import MusicInfo
from stemjax.session.picture import try_save_picture
from stemjax.session.session import open_session


def run(arguments: EditArguments) -> None:
    """Regenerate the codes that are not kept; write stem, mix, tokens, report, picture.

    Raises:
      UserError: bad input; nothing is written.
    """
    if not (arguments.stem or arguments.tokens):
        raise UserError("give --stem FILE, its --tokens, or both")
    category = inputs.parse_instrument(arguments.instrument)
    inputs.check_options(arguments)
    model, config = inputs.load_model(arguments)
    path, out = pathlib.Path(arguments.context), pathlib.Path(arguments.out)
    session = open_session(
        model,
        inputs.read_recording(path),
        MusicInfo(),
        name=str(path),
        allow_silent=arguments.allow_silent_context,
    )
    track_format = inputs.track_format(arguments, session.recording, model)
    cfg = model.codec.config
    original, codes = read_stem(arguments, model, len(session.context))
    request = EditRequest(
        start=arguments.start,
        stop=arguments.stop,
        keep_fraction=arguments.keep_fraction,
        keep_onsets=arguments.keep_onsets,
        keep_levels=arguments.keep_levels,
    )
    frames = cfg.frames(len(session.context))
    is_kept = editing.kept_mask(request, original, frames, cfg)
    codes = np.pad(codes, ((0, 0), (0, frames - codes.shape[1])))
    inputs.print_estimate(model, session, config, arguments.variations)
    with inputs.progress_bar("decoding") as progress:
        results = model.generate_stems(
            session.context,
            config,
            category=category,
            seed=arguments.seed,
            variations=arguments.variations,
            preset=arguments.preset or None,
            kept=Kept(codes, is_kept),
            progress=progress,
        )
    is_new = ~is_kept.all(axis=0)
    destination = outputs.Destination(out, track_format, arguments.midi)
    entries, stems = [], []
    for number, result in enumerate(results, start=1):
        gain = editing.matching_gain(original, result.stem, is_new, cfg)
        stem = editing.splice(original, gain * result.stem, is_new, cfg)
        suffix = outputs.file_suffix(number, len(results))
        entry = outputs.write_variation(
            destination, suffix, model, session, category, result, stem
        )
        entries.append(entry | {"picture": f"edit{suffix}.png"})
        stems.append(stem)
    report = {
        **outputs.report_header(model, session),
        "instrument": CATEGORIES[category],
        "change": {
            "from": request.start,
            "to": request.stop,
            "keep_fraction": request.keep_fraction,
            "keep_onsets": request.keep_onsets,
            "keep_levels": request.keep_levels,
        },
        "kept_share": float(is_kept.mean()),
        "edits": entries,
    }
    outputs.write_report(out / "edit.json", report)
    for entry, result, stem in zip(entries, results, stems, strict=True):
        outputs.write_midi(out, entry, model, session, category, stem)
        try_save_picture(
            out / entry["picture"],
            [
                (f"context: {session.recording.file}", session.context),
                (f"stem: {CATEGORIES[category]}", stem),
            ],
            model.sample_rate,
            order=result.order,
            steps=config.steps_for(len(result.order)),
        )
        print(f"{out / entry['stem']}  {out / entry['mix']}")
    print(f"kept {100 * is_kept.mean():.0f} % of the tokens")


def read_stem(
    arguments: EditArguments, model: Model, samples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Read the stem to edit.

    Args:
      samples: length of the context.

    Returns:
      Audio [N] and codes [Q, T] of the stem, no longer than the context.

    Raises:
      UserError: not readable, longer than the context, or tokens of another length.
    """
    cfg = model.codec.config
    audio = None
    if arguments.stem:
        recording, rate = read_audio(arguments.stem)
        audio = to_mono(recording, rate, model.sample_rate)
        if len(audio) > samples + cfg.hop:
            raise UserError(
                f"{arguments.stem}: {len(audio) / model.sample_rate:.2f} s, longer than"
                f" the context of {samples / model.sample_rate:.2f} s; cut it"
            )
        audio = audio[:samples]
        if not arguments.tokens:
            return audio, model.encode_audio(audio[None])[0]
    path = pathlib.Path(arguments.tokens)
    codes = session_file.read_tokens(path, model.codec)
    if audio is None:
        if codes.shape[1] > cfg.frames(samples):
            raise UserError(
                f"{path}: longer than the context; give the context of the stem"
            )
        return model.decode_audio(codes[None], samples)[0], codes
    if codes.shape[1] != cfg.frames(len(audio)):
        raise UserError(
            f"{path}: not as long as {arguments.stem}; give the tokens of this stem"
        )
    return audio, codes
