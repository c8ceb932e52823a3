"""Joint generation with a loaded model: the context is generated together with the stem."""

import time
from typing import Any

import numpy as np

from stemjax.api.model import Model
from stemjax.api.request import checked_category
from stemjax.config.categories import CATEGORIES
from stemjax.config.numbers import ClipSeconds, check_number
from stemjax.config.runs import to_json
from stemjax.decode.host import ProgressCallback
from stemjax.decode.joint import decode_joint
from stemjax.decode.keep import Kept
from stemjax.decode.network import JointNetwork
from stemjax.decode.result import Result, make_result
from stemjax.decode.settings import variation_keys
from stemjax.io.errors import UserError


def check_joint(model: Model, seconds: float) -> None:
    """Check that a model can generate both streams, of a length in s.

    Raises:
      UserError: it is not a joint model, or the length is out of range.
    """
    if not model.config.joint:
        raise UserError(
            f"{model.name}: no joint model, it needs a context; train one with"
            " --model.joint"
        )
    try:
        check_number(ClipSeconds, seconds, "seconds")
    except ValueError as error:
        raise UserError(str(error)) from None


def generate_joint(
    model: Model,
    seconds: float,
    *,
    instrument: str,
    seed: int = 0,
    variations: int = 1,
    preset: str | None = None,
    context: Kept | None = None,
    stem: Kept | None = None,
    progress: ProgressCallback | None = None,
    **settings: Any,
) -> list[Result]:
    """Generate a context mix and a stem for it together, p(t, a) (StemGen, sec. 2).

    Without `context` and `stem` both are generated from nothing; else around their codes
    that are kept.  A context of which all codes are kept is best answered by
    `Model.generate`, whose guidance uses it as a source.

    Args:
      model: a model that was trained with `model.joint`.
      seconds: length of both, 1 s or more.
      instrument: category of the stem.
      seed: variation k depends only on (seed, k).
      variations: number of pairs.
      preset: a key of `DECODE_PRESETS`; None: the defaults of the release.
      context, stem: codes [Q, T] of each that stay, in all variations; None: none.
      progress: called with (steps done, total steps).
      **settings: fields of `DecodeConfig` that replace those of the preset; the context's
        scale is not used.

    Returns:
      One `Result` per variation; its `context` is the generated one.

    Raises:
      UserError: a model that is not joint, an unknown instrument or setting, or kept
        codes of another length.
    """
    check_joint(model, seconds)
    config = model.decode_config(preset, **settings)
    category = checked_category(instrument, seed, variations)
    started = time.perf_counter()
    samples = round(seconds * model.sample_rate)
    shape = (model.config.num_codebooks, model.codec.config.frames(samples))
    for name, kept in (("context", context), ("stem", stem)):
        for array in kept or ():
            if np.shape(array) != shape:
                raise UserError(
                    f"kept codes of the {name} are {np.shape(array)}, {seconds:g} s are"
                    f" {shape}"
                )
    decoded = decode_joint(
        model.devices,
        JointNetwork(model.config, model.keeps_prefix),
        config,
        {"instrument": np.full(variations, category, np.int32)},
        variation_keys(np.full(variations, seed), np.arange(variations)),
        num_frames=shape[1],
        window_frames=model.trained_frames,
        stem=stem and stem.repeat(variations),
        context=context and context.repeat(variations),
        progress=progress,
    )
    contexts, stems = (
        model.decode_audio(stream.codes, samples)
        for stream in (decoded.context, decoded.stem)
    )
    done = time.perf_counter()
    return [
        make_result(
            np.asarray(contexts[k], np.float32),
            stems[k],
            sample_rate=model.sample_rate,
            tokens=np.asarray(decoded.stem.codes[k]),
            context_tokens=np.asarray(decoded.context.codes[k]),
            order=np.asarray(decoded.stem.order[k]),
            settings={
                "instrument": CATEGORIES[category],
                "seed": seed,
                "variation": k,
                "preset": preset,
                **to_json(config),
            },
            seconds={
                "audio": samples / model.sample_rate,
                "codec_encode": 0.0,
                "decode": done - started,
                "compile": decoded.stem.compile_seconds,
            },
        )
        for k in range(variations)
    ]
