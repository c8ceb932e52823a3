"""Notes by Basic Pitch (`notes=basic-pitch`): an optional peer that users bring.

Bittner et al., "A lightweight instrument-agnostic model for polyphonic note
transcription", ICASSP 2022.  The network is the ONNX file inside the `basic-pitch` wheel
(Apache-2.0), read without importing that package and run by onnxruntime; neither is
needed for anything else.  It was trained on Slakh among others: it has heard the kind of
real music that it is asked about here.

Windows overlap by 30 frames, of which each gives 15: 142 frames of 256 samples are kept
at a hop of 36,164 samples, which is 141.27 frames.  So times are counted in samples from
each window's start; counted in frames they would drift by 85 ms over 20 s.
"""

import importlib.util
import os
import pathlib
from typing import Any

import numpy as np

from stemjax.analysis.notes import NoteRule, decode_notes
from stemjax.io.audio import resample
from stemjax.io.errors import UserError

SAMPLE_RATE = 22_050
WINDOW = 43_844  # samples that the network takes
FRAME = 256  # samples per frame
NUM_FRAMES = 172  # frames that the network gives per window
OVERLAP_FRAMES = 30
HOP = WINDOW - OVERLAP_FRAMES * FRAME
MARGIN = OVERLAP_FRAMES // 2  # frames dropped at each end of a window
LOWEST_PITCH = 21
MODEL_PATH = "saved_models/icassp_2022/nmp.onnx"
NOTE_OUTPUT, ONSET_OUTPUT = "StatefulPartitionedCall:1", "StatefulPartitionedCall:2"

RULE = NoteRule(onset=0.5, sustain=0.3, max_gap=11, min_length=11)


def find_model(path: str | os.PathLike | None = None) -> pathlib.Path:
    """The ONNX file: `path`, or the one inside an installed `basic_pitch`.

    Raises:
      UserError: there is no such file.
    """
    if path is not None:
        if not pathlib.Path(path).is_file():
            raise UserError(f"{path}: no such file; give Basic Pitch's nmp.onnx")
        return pathlib.Path(path)
    spec = importlib.util.find_spec("basic_pitch")  # does not import it
    for folder in (spec and spec.submodule_search_locations) or ():
        found = pathlib.Path(folder) / MODEL_PATH
        if found.is_file():
            return found
    raise UserError(
        f"basic_pitch/{MODEL_PATH} is not installed; run"
        " `pip install --no-deps basic-pitch` and `pip install onnxruntime`"
    )


def open_model(path: str | os.PathLike | None = None) -> Any:
    """An onnxruntime session of the network, for `transcribe`.

    Raises:
      UserError: no onnxruntime, no model, or a file that is not this model.
    """
    model = find_model(path)
    try:
        import onnxruntime
    except ImportError:
        raise UserError(
            f"{model} needs onnxruntime; run `pip install onnxruntime`"
        ) from None
    try:
        session = onnxruntime.InferenceSession(
            os.fspath(model), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's own, which share no base class
        raise UserError(f"{model}: not an ONNX model ({error})") from None
    shapes = [value.shape[1:] for value in session.get_inputs()]
    outputs = {value.name for value in session.get_outputs()}
    if shapes != [[WINDOW, 1]] or not {NOTE_OUTPUT, ONSET_OUTPUT} <= outputs:
        raise UserError(f"{model}: not Basic Pitch's network; give its nmp.onnx")
    return session


def transcribe(audio: np.ndarray, rate: int, session: Any) -> np.ndarray:
    """Audio [N] at `rate` Hz -> notes [M, 3]: onset, offset (s), MIDI pitch."""
    samples = resample(np.asarray(audio, np.float32), rate, SAMPLE_RATE)
    (model_input,) = session.get_inputs()
    onset, note = session.run(
        [ONSET_OUTPUT, NOTE_OUTPUT], {model_input.name: windows(samples)[..., None]}
    )
    times = frame_times(len(onset))
    count = np.searchsorted(times, len(samples) / SAMPLE_RATE)
    return decode_notes(
        unwindow(onset)[:count],
        unwindow(note)[:count],
        times[:count],
        lowest_pitch=LOWEST_PITCH,
        rule=RULE,
    )


def windows(audio: np.ndarray) -> np.ndarray:
    """Audio [N] at 22.05 kHz -> [W, 43844] float32, whose kept frames cover it."""
    lead = MARGIN * FRAME
    count = max(1, -(-len(audio) // HOP))
    padded = np.zeros((count - 1) * HOP + WINDOW, np.float32)
    padded[lead : lead + len(audio)] = audio[: len(padded) - lead]
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP].copy()


def unwindow(posterior: np.ndarray) -> np.ndarray:
    """Posteriors [W, 172, P] -> [W * 142, P]: the inner frames of each window."""
    kept = posterior[:, MARGIN : NUM_FRAMES - MARGIN]
    return kept.reshape(-1, kept.shape[-1])


def frame_times(num_windows: int) -> np.ndarray:
    """Times [W * 142] in seconds of the frames that `unwindow` keeps, ascending."""
    starts = np.arange(num_windows)[:, None] * HOP
    inner = np.arange(NUM_FRAMES - OVERLAP_FRAMES) * FRAME
    return ((starts + inner) / SAMPLE_RATE).reshape(-1)
