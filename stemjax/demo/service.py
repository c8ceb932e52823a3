"""Functions of the page without the page: open, generate, mix, download."""

import dataclasses
import io
import pathlib
import tempfile
import threading
import time
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from stemjax.api import Model
from stemjax.config.categories import category_of
from stemjax.config.decode import DecodeConfig
from stemjax.decode.host import ProgressCallback
from stemjax.demo.workspace import Workspace
from stemjax.io.audio import sum_with_one_gain
from stemjax.io.audio_files.formats import AudioFormat
from stemjax.io.errors import UserError
from stemjax.session import layering, timing
from stemjax.session.folder import TrackFormat, save_session
from stemjax.session.layering import LayeredStem, LayerRequest
from stemjax.session.mixing import mix_down
from stemjax.session.music import MusicInfo
from stemjax.session.session import Recording, open_session

MAX_LAYERS = 8
MAX_VARIATIONS = 3
MAX_LENGTHS = 32
"""Lengths of recordings whose compiled programs are kept; each takes some megabytes."""


class Cancelled(Exception):
    """The user cancelled the generation."""


class GenerationForm(NamedTuple):
    """Values of the controls on the page."""

    instrument: str
    context_scale: float
    """Guidance scale of the context."""
    instrument_scale: float
    """Guidance scale of the instrument."""
    w_causal: float
    """Causal bias."""
    is_refined: bool
    """Use the steps of the checkpoint, not those of the preset fast."""
    variations: int
    seed: float | None
    """None if the field is empty."""


@dataclasses.dataclass
class StemService:
    """The model and the running generations; one per server."""

    model: Model
    speed: float | None = None
    """Measured over estimated duration of the last generation; None before the first."""
    cancel_events: dict[str, threading.Event] = dataclasses.field(default_factory=dict)
    """By user: set to cancel a generation that runs or waits in the queue."""
    compiled_lengths: set[int] = dataclasses.field(default_factory=set)
    """Lengths [samples] of the recordings since compiled programs were last dropped."""

    def open(
        self, recording: Recording, *, bpm: float | None, is_loop: bool
    ) -> Workspace:
        """Open a recording, estimate its music, and cut a loop to whole bars.

        Raises:
          UserError: too short, silent, a loop without a beat, or no tempo.
        """
        if not isinstance(bpm, int | float | None):
            raise UserError("Beats per minute: give a number, or 0 to estimate it")
        session = open_session(
            self.model,
            recording,
            MusicInfo(bpm=bpm or None),
            name=recording.file or "silence",
            is_loop=is_loop,
            allow_silent=recording.file is None,
            needs_music=True,
        )
        self._bound_programs(len(session.context))
        return Workspace(session)

    def _bound_programs(self, length: int) -> None:
        """Drop all compiled programs when recordings of too many lengths were opened."""
        self.compiled_lengths.add(length)
        if len(self.compiled_lengths) > MAX_LENGTHS:
            jax.clear_caches()
            self.compiled_lengths = {length}

    def decode_config(self, form: GenerationForm) -> DecodeConfig:
        """Decoding settings of a form."""
        return self.model.decode_config(
            None if form.is_refined else "fast",
            scales=(form.context_scale, form.instrument_scale),
            w_causal=form.w_causal,
        )

    def estimate_seconds(self, workspace: Workspace, form: GenerationForm) -> float:
        """Estimate the duration of `generate`, corrected by the last measurement."""
        frames = self.model.codec.config.frames(len(workspace.session.context))
        return (self.speed or 1.0) * timing.estimate_seconds(
            self.model, frames, self.decode_config(form), form.variations
        )

    def generate(
        self,
        workspace: Workspace,
        form: GenerationForm,
        *,
        user: str,
        progress: ProgressCallback,
    ) -> Workspace:
        """Generate candidates for the next layer.

        Args:
          user: id of the user, for `cancel`.

        Raises:
          UserError: a value of the form is out of range, or too many layers.
          Cancelled: `cancel` was called, possibly before the generation started.
        """
        try:
            cancel = self.register(user)
            request = self._request(workspace, form)
            return self._generate(workspace, form, request, cancel, progress)
        finally:
            self.cancel_events.pop(user, None)

    def _request(self, workspace: Workspace, form: GenerationForm) -> LayerRequest:
        """Check a form and convert it.

        Raises:
          UserError: a value is out of range.
        """
        if len(workspace.stems) >= MAX_LAYERS:
            raise UserError(f"{MAX_LAYERS} layers at most; download and start again")
        if form.variations not in range(1, MAX_VARIATIONS + 1):
            raise UserError(
                f"Variations: give 1 to {MAX_VARIATIONS}, not {form.variations}"
            )
        seed = form.seed
        if not isinstance(seed, int | float) or not 0 <= seed < 2**31 or seed % 1:
            raise UserError("Seed: give a whole number from 0")
        try:
            category = category_of(form.instrument)
        except ValueError as error:
            raise UserError(str(error)) from None
        return LayerRequest(
            category=category,
            seed=int(seed),
            config=self.decode_config(form),
            preset=None if form.is_refined else "fast",
            variations=int(form.variations),
        )

    def _generate(
        self,
        workspace: Workspace,
        form: GenerationForm,
        request: LayerRequest,
        cancel: threading.Event,
        progress: ProgressCallback,
    ) -> Workspace:
        """Generate candidates and measure the speed."""
        reports: list[tuple[float, int]] = []

        def report(done: int, total: int) -> None:
            if cancel.is_set():
                raise Cancelled
            reports.append((time.perf_counter(), done))
            progress(done, total)

        if cancel.is_set():
            raise Cancelled
        candidates = layering.generate_variations(
            self.model, workspace.session, workspace.stems, request, progress=report
        )
        (first_time, first_step), (last_time, last_step) = reports[0], reports[-1]
        if last_step > first_step:  # compilation ends before the first report
            estimate = self.estimate_seconds(workspace, form) / (self.speed or 1.0)
            rate = (last_time - first_time) / (last_step - first_step)
            self.speed = rate * last_step / max(estimate, 1e-9)
        return workspace._replace(candidates=tuple(candidates))

    def register(self, user: str) -> threading.Event:
        """Register a generation, so that `cancel` stops it even in the queue."""
        return self.cancel_events.setdefault(user, threading.Event())

    def cancel(self, user: str) -> bool:
        """Cancel the generation of a user; returns whether there is one.

        A running generation ends at its next progress report."""
        event = self.cancel_events.get(user)
        if event is not None:
            event.set()
        return event is not None

    def mix(self, workspace: Workspace, names: Sequence[str]) -> np.ndarray:
        """Sum of the named tracks, [N] at the model's rate, within full scale."""
        tracks = [t for name, t in workspace.tracks().items() if name in names]
        if not tracks:
            return np.zeros_like(workspace.session.context)
        return sum_with_one_gain(tracks).audio

    def mix_with(self, workspace: Workspace, candidate: LayeredStem) -> np.ndarray:
        """Mix of the context, the layers and a candidate, [N]."""
        stems = [stem.audio for stem in workspace.stems]
        context = workspace.session.context[:, None]
        return mix_down(context, [*stems, candidate.audio]).mix[:, 0]

    def reconstruct(self, workspace: Workspace) -> np.ndarray:
        """The context encoded and decoded by the codec, [N]."""
        context = workspace.session.context
        codes = self.model.encode_audio(context[None])
        return self.model.decode_audio(codes, len(context))[0]

    def zip_session(self, workspace: Workspace) -> bytes:
        """Zip file of the session folder, at the rate of the recording.

        Equal workspaces give equal bytes."""
        session = workspace.session
        track_format = TrackFormat(session.recording.rate, AudioFormat.WAV)
        with tempfile.TemporaryDirectory(prefix="stemjax-") as name:
            folder = pathlib.Path(name)
            save_session(folder, self.model, session, workspace.stems, track_format)
            file = io.BytesIO()
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for path in sorted(folder.iterdir()):
                    entry = zipfile.ZipInfo(path.name)  # without the time of day
                    archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
        return file.getvalue()
