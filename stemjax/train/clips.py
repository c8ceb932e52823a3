"""Audio clips and pictures of four fixed validation examples during training.

`workdir/clips/STEP/` holds, per example, WAV files and one picture of mel-spectrograms:
for StemGen the context, the true stem, the generated stem and the mix (decoding preset
`fast`, fixed keys); for a codec the original and its reconstruction.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from stemjax.codec import functional
from stemjax.codec.codec import Codec
from stemjax.config.categories import CATEGORIES
from stemjax.config.decode import FAST
from stemjax.config.runs import CodecRun, Run
from stemjax.config.train import MeshConfig
from stemjax.decode.iterate import decode
from stemjax.decode.network import StemGenNetwork
from stemjax.io.audio import write_wav
from stemjax.io.remote import Path, as_path
from stemjax.nn.axes import make_mesh
from stemjax.train import layout
from stemjax.train.hooks import Hook
from stemjax.train.processes import gathered, is_writer
from stemjax.train.state import TrainState

CLIPS = 4
KEY = 0  # of decoding: equal noise at every step makes clips comparable
FULL_SCALE = 32768.0


def clips_hook(
    run: Run,
    codec: Codec | None,
    eval_batches: Callable[[], Iterator[Mapping[str, np.ndarray]]] | None,
    workdir: str,
) -> tuple[Hook, ...]:
    """The hook that writes the clips; empty without an interval, data or a codec.

    Args:
      codec: of the tokens of a StemGen run.
    """
    if not run.loop.clips_every or eval_batches is None:
        return ()
    if codec is None and not isinstance(run, CodecRun):
        print("no clips are decoded: the tokens are not those of a stemjax codec")
        return ()

    def write(step: int, state: TrainState) -> None:
        params, ema, model_state = gathered(
            (state.params, state.ema, state.model_state)
        )
        if not is_writer():
            return
        state = state._replace(params=params, ema=ema, model_state=model_state)
        batch = first_rows(eval_batches())
        folder = as_path(workdir) / layout.CLIPS / str(step)
        with jax.set_mesh(make_mesh(MeshConfig(), jax.local_devices()[:1])):
            if isinstance(run, CodecRun):
                rows = reconstructed(run, state, batch)
            else:
                rows = generated(run, codec, state, batch)
        for k, clips in enumerate(rows, start=1):
            write_example(folder, k, clips, sample_rate(run, codec))

    return (Hook(run.loop.clips_every, write),)


def sample_rate(run: Run, codec: Codec | None) -> int:
    """Samples per second of the clips."""
    return (run.model if isinstance(run, CodecRun) else codec.config).sample_rate


def first_rows(batches: Iterator[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The first valid rows of the first batch, at most `CLIPS`."""
    batch = next(iter(batches))
    rows = np.flatnonzero(batch["is_valid"])[:CLIPS]
    return {name: np.asarray(value)[rows] for name, value in batch.items()}


def reconstructed(
    run: CodecRun, state: TrainState, batch: Mapping[str, np.ndarray]
) -> list[dict[str, np.ndarray]]:
    """Clips per example: original and reconstruction."""
    audio = batch["audio"].astype(np.float32) / FULL_SCALE
    variables = {"params": state.averaged, "codebooks": state.model_state}
    codes = functional.encode(variables, run.model, audio)
    decoded = np.asarray(functional.decode(variables, run.model, codes))
    return [
        {"original": a, "reconstruction": b[: len(a)]}
        for a, b in zip(audio, decoded, strict=True)
    ]


def generated(
    run: Any, codec: Codec, state: TrainState, batch: Mapping[str, np.ndarray]
) -> list[dict[str, np.ndarray]]:
    """Clips per example: context, true stem, generated stem and mix."""
    if "context_codes" in batch:
        context_codes = batch["context_codes"].astype(np.int32)
        context = np.asarray(codec.decode(context_codes))
        target = np.asarray(codec.decode(batch["target_codes"].astype(np.int32)))
    else:
        context = batch["context"].astype(np.float32) / FULL_SCALE
        target = batch["target"].astype(np.float32) / FULL_SCALE
        context_codes = np.asarray(codec.encode(context))
    decoded = decode(
        StemGenNetwork(run.model, run.objective.keep_prefix),
        state.averaged,
        FAST,
        context_codes,
        {"instrument": batch["instrument"].astype(np.int32)},
        jax.random.split(jax.random.key(KEY), len(context_codes)),
    )
    stems = np.asarray(codec.decode(decoded.codes))[:, : context.shape[1]]
    return [
        {
            "context": a,
            f"true-{CATEGORIES[i]}": t,
            f"generated-{CATEGORIES[i]}": s,
            "mix": (a + s) / max(1.0, float(np.abs(a + s).max())),
        }
        for a, t, s, i in zip(
            context, target, stems, batch["instrument"].tolist(), strict=True
        )
    ]


def write_example(
    folder: Path, number: int, clips: Mapping[str, np.ndarray], rate: int
) -> None:
    """Write `NUMBER-NAME.wav` for each clip, and `NUMBER.png` with all spectrograms."""
    from stemjax.arrays.mel import mel_power
    from stemjax.io.picture import draw_or_warn, save_spectrograms

    for name, audio in clips.items():
        write_wav(folder / f"{number}-{name}.wav", audio, rate)
    rows = [(name, mel_power(a, sample_rate=rate)) for name, a in clips.items()]
    seconds = len(next(iter(clips.values()))) / rate
    picture = folder / f"{number}.png"
    draw_or_warn(
        picture, functools.partial(save_spectrograms, picture, rows, seconds=seconds)
    )
