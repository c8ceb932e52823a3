"""Event handlers of the page: values of components in, values of components out."""

import contextlib
import pathlib
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np

from stemjax.demo import texts
from stemjax.demo.service import MAX_VARIATIONS, Cancelled, GenerationForm, StemService
from stemjax.demo.uploads import display_name, read_upload
from stemjax.demo.workspace import (
    Workspace,
    audible_tracks,
    keep_candidate,
    remove_last_layer,
    to_int16,
)
from stemjax.io.errors import UserError
from stemjax.io.release import PRETRAINED
from stemjax.session import timing
from stemjax.session.picture import save_picture
from stemjax.session.session import Recording, silent_recording

EXAMPLE = PRETRAINED / "example" / "context.flac"
SILENCE_SECONDS = 8.0
ZIP_MINUTES = 30
"""Age at which zip files are deleted."""
NO_PROGRESS = gr.Progress()


class Handlers:
    """The event handlers; `page_values` and `candidate_values` fill groups of components
    that `stemjax.demo.app` lists in the same order."""

    def __init__(self, service: StemService, zip_folder: pathlib.Path):
        """Args:
        zip_folder: folder for zip files.
        """
        self.service, self.zip_folder = service, zip_folder
        self.rate = service.model.sample_rate

    # 1. open a recording

    def open_upload(self, path: str | None, bpm, is_loop, *controls: Any) -> list[Any]:
        if not path:
            raise gr.Error("Upload a recording first.", print_exception=False)
        with errors_on_page():
            recording = read_upload(path, display_name(path))
        return self._open(recording, bpm, is_loop, controls)

    def open_example(self, bpm, is_loop, *controls: Any) -> list[Any]:
        recording = read_upload(EXAMPLE, EXAMPLE.name)
        return self._open(recording, bpm, is_loop, controls)

    def open_silence(self, bpm, is_loop, *controls: Any) -> list[Any]:
        recording = silent_recording(SILENCE_SECONDS, self.rate)
        return self._open(recording, bpm, is_loop, controls)

    def _open(self, recording: Recording, bpm, is_loop, controls) -> list[Any]:
        with errors_on_page():
            workspace = self.service.open(recording, bpm=bpm, is_loop=is_loop)
            return self.page_values(workspace, *controls)

    # 2. generate

    def estimate(self, workspace: Workspace | None, *controls: Any) -> str:
        if workspace is None:
            return ""
        seconds = self.service.estimate_seconds(workspace, form_of(*controls))
        return texts.describe_estimate(
            timing.format_duration(seconds),
            is_compiled=self.service.speed is not None,
        )

    def register(self, workspace: Workspace | None, request: gr.Request) -> None:
        if workspace is not None:
            self.service.register(request.session_hash)

    def generate(
        self,
        workspace: Workspace | None,
        instrument: str,
        context_scale: float,
        instrument_scale: float,
        w_causal: float,
        quality: str,
        variations: int,
        seed: int,
        request: gr.Request,
        progress: gr.Progress = NO_PROGRESS,
    ) -> list[Any]:
        require_open(workspace)
        form = form_of(
            *(instrument, context_scale, instrument_scale, w_causal),
            *(quality, variations, seed),
        )

        def report(done: int, total: int) -> None:
            progress((done, total), desc=instrument, unit="steps")

        with errors_on_page():
            try:
                workspace = self.service.generate(
                    workspace, form, user=request.session_hash, progress=report
                )
            except Cancelled:
                return self.candidate_values(workspace, texts.CANCELLED)
        count = len(workspace.candidates)
        return self.candidate_values(workspace, f"{count} variations of {instrument}.")

    def cancel(self, request: gr.Request) -> None:
        self.service.cancel(request.session_hash)

    # 3. and 4. keep a variation, mix, download

    def keep(
        self, workspace: Workspace | None, number: int, *controls: Any
    ) -> list[Any]:
        require_open(workspace)
        with errors_on_page():
            workspace = keep_candidate(workspace, int(number))
        return self._changed(workspace, controls)

    def undo(self, workspace: Workspace | None, *controls: Any) -> list[Any]:
        require_open(workspace)
        return self._changed(remove_last_layer(workspace), controls)

    def _changed(self, workspace: Workspace, controls) -> list[Any]:
        shown = self.page_values(workspace, *controls)
        return shown + self.candidate_values(workspace, texts.NO_STEMS)[2:]

    def mix(
        self, workspace: Workspace | None, solo: list[str], muted: list[str]
    ) -> tuple:
        require_open(workspace)
        names = audible_tracks(list(workspace.tracks()), solo, muted)
        return self._player(self.service.mix(workspace, names))

    def download(self, workspace: Workspace | None) -> Any:
        require_open(workspace)
        delete_old_zips(self.zip_folder)
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.zip_folder))
        path = folder / "stemjax-session.zip"
        path.write_bytes(self.service.zip_session(workspace))
        return gr.update(value=str(path), visible=True)

    def play_codec(self, workspace: Workspace | None) -> tuple:
        require_open(workspace)
        return self._player(self.service.reconstruct(workspace))

    # values of groups of components

    def page_values(self, workspace: Workspace, *controls: Any) -> list[Any]:
        """State, about, mix, solo, mute, picture, estimate, status."""
        session, names = workspace.session, list(workspace.tracks())
        mix = self.service.mix(workspace, names)
        tracks = [
            ("context", session.context),
            *(
                (f"{s.layer.id}: {s.layer.instrument}", s.audio)
                for s in workspace.stems
            ),
            ("mix", mix),
        ]
        seconds = len(session.context) / self.rate
        return [
            workspace,
            texts.describe_session(seconds, session.music, session.recording.file),
            self._player(mix),
            gr.CheckboxGroup(choices=names, value=[]),
            gr.CheckboxGroup(choices=names, value=[]),
            picture_pixels(tracks, self.rate),
            self.estimate(workspace, *controls),
            texts.NO_STEMS,
        ]

    def candidate_values(self, workspace: Workspace, status: str) -> list[Any]:
        """State, status, picture, then the players and buttons of each variation."""
        candidates = workspace.candidates
        count = len(candidates)
        hidden = [gr.update(value=None, visible=False)] * (MAX_VARIATIONS - count)
        stems = [self._player(c.audio) for c in candidates]
        mixes = [self._player(self.service.mix_with(workspace, c)) for c in candidates]
        picture = None
        if candidates:
            tracks = [("context", workspace.session.context)]
            tracks += [
                (f"variation {k}", c.audio) for k, c in enumerate(candidates, start=1)
            ]
            picture = picture_pixels(tracks, self.rate)
        return [
            workspace,
            status,
            gr.update(value=picture, visible=bool(candidates)),
            *[gr.update(value=audio, visible=True) for audio in stems],
            *hidden,
            *[gr.update(value=audio, visible=True) for audio in mixes],
            *hidden,
            *[gr.update(visible=k < count) for k in range(MAX_VARIATIONS)],
        ]

    def _player(self, audio: np.ndarray) -> tuple[int, np.ndarray]:
        """Value of an audio player."""
        return self.rate, to_int16(audio, self.rate, self.rate)


def form_of(
    instrument, context_scale, instrument_scale, w_causal, quality, variations, seed
) -> GenerationForm:
    """Convert the values of the controls."""
    is_refined = quality == texts.REFINE
    return GenerationForm(
        *(instrument, context_scale, instrument_scale, w_causal),
        *(is_refined, variations, seed),
    )


def require_open(workspace: Workspace | None) -> None:
    """Show an error if no recording is open."""
    if workspace is None:
        raise gr.Error(texts.NOTHING_OPEN, print_exception=False)


@contextlib.contextmanager
def errors_on_page() -> Iterator[None]:
    """Show `UserError` as a message on the page."""
    try:
        yield
    except UserError as error:
        raise gr.Error(str(error), print_exception=False) from None


def picture_pixels(tracks: list[tuple[str, np.ndarray]], rate: int) -> np.ndarray:
    """Mel spectrograms of tracks as an image [H, W, 3] uint8."""
    from matplotlib import image

    with tempfile.TemporaryDirectory(prefix="stemjax-") as folder:
        path = pathlib.Path(folder) / "tracks.png"
        save_picture(path, tracks, rate)
        pixels = image.imread(path)
    return np.round(255 * pixels[..., :3]).astype(np.uint8)


def delete_old_zips(zip_folder: pathlib.Path) -> None:
    """Delete zip files older than `ZIP_MINUTES`."""
    for folder in zip_folder.iterdir():
        if time.time() - folder.stat().st_mtime > 60 * ZIP_MINUTES:
            for file in folder.iterdir():
                file.unlink(missing_ok=True)
            folder.rmdir()
