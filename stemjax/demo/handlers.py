"""Event handlers of the page: values of components in, values of components out."""

import contextlib
import functools
import pathlib
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import numpy as np
import soundfile

from stemjax.demo import texts
from stemjax.demo.service import MAX_VARIATIONS, Cancelled, GenerationForm, StemService
from stemjax.demo.sessions import PageSession, Sessions
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
from stemjax.session.picture import try_save_picture
from stemjax.session.session import Recording, silent_recording

EXAMPLE = PRETRAINED / "example" / "context.flac"
SILENCE_SECONDS = 8.0
NO_PROGRESS = gr.Progress()


@contextlib.contextmanager
def errors_on_page() -> Iterator[None]:
    """Show an error as a message on the page; one that is not the user's goes to stderr
    as well."""
    try:
        yield
    except gr.Error:
        raise
    except UserError as error:
        raise gr.Error(str(error), print_exception=False) from None
    except Exception as error:
        traceback.print_exc()
        what = f"{type(error).__name__}: {error}"
        raise gr.Error(f"{texts.FAULT} ({what})", print_exception=False) from None


def handler(method: Callable[..., Any]) -> Callable[..., Any]:
    """An event handler whose errors are messages on the page."""

    @functools.wraps(method)
    def shown(*arguments: Any, **more: Any) -> Any:
        with errors_on_page():
            return method(*arguments, **more)

    return shown


class Handlers:
    """The event handlers; `page_values` and `candidate_values` fill groups of components
    that `stemjax.demo.app` lists in the same order."""

    def __init__(self, service: StemService, sessions: Sessions):
        self.service, self.sessions = service, sessions
        self.rate = service.model.sample_rate

    # 1. open a recording

    @handler
    def open_upload(
        self, request: gr.Request, path: str | None, bpm, is_loop, *controls: Any
    ) -> list[Any]:
        if not path:
            raise UserError("Upload a recording first.")
        upload = pathlib.Path(path)

        def read() -> Recording:
            return read_upload(upload, display_name(path))

        return self._open(request, read, bpm, is_loop, controls, {upload})

    @handler
    def open_example(
        self, request: gr.Request, bpm, is_loop, *controls: Any
    ) -> list[Any]:
        def read() -> Recording:
            return read_upload(EXAMPLE, EXAMPLE.name)

        return self._open(request, read, bpm, is_loop, controls)

    @handler
    def open_silence(
        self, request: gr.Request, bpm, is_loop, *controls: Any
    ) -> list[Any]:
        def read() -> Recording:
            return silent_recording(SILENCE_SECONDS, self.rate)

        return self._open(request, read, bpm, is_loop, controls)

    def _open(
        self,
        request: gr.Request,
        read: Callable[[], Recording],
        bpm,
        is_loop,
        controls,
        uploads: frozenset[pathlib.Path] | set[pathlib.Path] = frozenset(),
    ) -> list[Any]:
        with self.sessions.opening(user_of(request)) as session:
            workspace = self.service.open(read(), bpm=bpm, is_loop=is_loop)
            session.workspace = workspace
            session.uploads |= uploads
            return self.page_values(session, *controls)

    # 2. generate

    @handler
    def estimate(self, request: gr.Request, *controls: Any) -> str:
        session = self.sessions.by_user.get(request.session_hash)
        if session is None or session.workspace is None:
            return ""
        return self._estimate(session.workspace, controls)

    def _estimate(self, workspace: Workspace, controls) -> str:
        seconds = self.service.estimate_seconds(workspace, form_of(*controls))
        return texts.describe_estimate(
            timing.format_duration(seconds),
            is_compiled=self.service.speed is not None,
        )

    @handler
    def register(self, request: gr.Request) -> None:
        if request.session_hash in self.sessions.by_user:
            self.service.register(request.session_hash)

    @handler
    def generate(
        self,
        request: gr.Request,
        instrument: str,
        context_scale: float,
        instrument_scale: float,
        w_causal: float,
        quality: str,
        variations: int,
        seed: int,
        progress: gr.Progress = NO_PROGRESS,
    ) -> list[Any]:
        form = form_of(
            *(instrument, context_scale, instrument_scale, w_causal),
            *(quality, variations, seed),
        )

        def report(done: int, total: int) -> None:
            progress((done, total), desc=instrument, unit="steps")

        with self.sessions.using(user := user_of(request)) as session:
            try:
                workspace = self.service.generate(
                    session.workspace, form, user=user, progress=report
                )
            except Cancelled:
                return self.candidate_values(session, texts.CANCELLED)
            session.workspace = workspace
            count = len(workspace.candidates)
            status = f"{count} variations of {instrument}."
            return self.candidate_values(session, status)

    @handler
    def cancel(self, request: gr.Request) -> None:
        self.service.cancel(request.session_hash)

    # 3. and 4. keep a variation, mix, download

    @handler
    def keep(self, request: gr.Request, number: int, *controls: Any) -> list[Any]:
        with self.sessions.using(user_of(request)) as session:
            session.workspace = keep_candidate(session.workspace, int(number))
            return self._changed(session, controls)

    @handler
    def undo(self, request: gr.Request, *controls: Any) -> list[Any]:
        with self.sessions.using(user_of(request)) as session:
            session.workspace = remove_last_layer(session.workspace)
            return self._changed(session, controls)

    def _changed(self, session: PageSession, controls) -> list[Any]:
        shown = self.page_values(session, *controls)
        return shown + self.candidate_values(session, texts.NO_STEMS)[1:]

    @handler
    def mix(self, request: gr.Request, solo: list[str], muted: list[str]) -> str:
        with self.sessions.using(user_of(request)) as session:
            workspace = session.workspace
            names = audible_tracks(list(workspace.tracks()), solo or (), muted or ())
            return self._player(session, "mix", self.service.mix(workspace, names))

    @handler
    def download(self, request: gr.Request) -> Any:
        with self.sessions.using(user_of(request)) as session:
            path = session.new_file("stemjax-session", ".zip")
            path.write_bytes(self.service.zip_session(session.workspace))
            return gr.update(value=str(path), visible=True)

    @handler
    def play_codec(self, request: gr.Request) -> str:
        with self.sessions.using(user_of(request)) as session:
            audio = self.service.reconstruct(session.workspace)
            return self._player(session, "codec", audio)

    # values of groups of components

    def page_values(self, session: PageSession, *controls: Any) -> list[Any]:
        """About, mix, solo, mute, picture, estimate, status."""
        workspace = session.workspace
        opened, names = workspace.session, list(workspace.tracks())
        mix = self.service.mix(workspace, names)
        tracks = [
            ("context", opened.context),
            *(
                (f"{s.layer.id}: {s.layer.instrument}", s.audio)
                for s in workspace.stems
            ),
            ("mix", mix),
        ]
        seconds = len(opened.context) / self.rate
        return [
            texts.describe_session(seconds, opened.music, opened.recording.file),
            self._player(session, "mix", mix),
            gr.CheckboxGroup(choices=names, value=[]),
            gr.CheckboxGroup(choices=names, value=[]),
            self._picture(session, "tracks", tracks),
            self._estimate(workspace, controls),
            texts.NO_STEMS,
        ]

    def candidate_values(self, session: PageSession, status: str) -> list[Any]:
        """Status, picture, then the players and buttons of each variation."""
        workspace = session.workspace
        candidates = workspace.candidates
        count = len(candidates)
        hidden = [gr.update(value=None, visible=False)] * (MAX_VARIATIONS - count)
        stems = [
            self._player(session, f"stem_{k}", c.audio)
            for k, c in enumerate(candidates, start=1)
        ]
        mixes = [
            self._player(session, f"mix_{k}", self.service.mix_with(workspace, c))
            for k, c in enumerate(candidates, start=1)
        ]
        picture = None
        if candidates:
            tracks = [("context", workspace.session.context)]
            tracks += [
                (f"variation {k}", c.audio) for k, c in enumerate(candidates, start=1)
            ]
            picture = self._picture(session, "variations", tracks)
        return [
            status,
            gr.update(value=picture, visible=bool(candidates)),
            *[gr.update(value=audio, visible=True) for audio in stems],
            *hidden,
            *[gr.update(value=audio, visible=True) for audio in mixes],
            *hidden,
            *[gr.update(visible=k < count) for k in range(MAX_VARIATIONS)],
        ]

    def _player(self, session: PageSession, role: str, audio: np.ndarray) -> str:
        """Value of an audio player: a file of the session."""
        path = session.new_file(role, ".wav")
        soundfile.write(path, to_int16(audio, self.rate, self.rate), self.rate)
        return str(path)

    def _picture(self, session: PageSession, role: str, tracks) -> str | None:
        """Mel spectrograms of tracks (title, audio [N]): a file of the session; None if
        it cannot be drawn."""
        path = session.new_file(role, ".png")
        try_save_picture(path, tracks, self.rate)
        return str(path) if path.exists() else None


def form_of(
    instrument, context_scale, instrument_scale, w_causal, quality, variations, seed
) -> GenerationForm:
    """Convert the values of the controls."""
    is_refined = quality == texts.REFINE
    return GenerationForm(
        *(instrument, context_scale, instrument_scale, w_causal),
        *(is_refined, variations, seed),
    )


def user_of(request: gr.Request) -> str:
    """Id of the page that sent a request.

    Raises:
      UserError: a request without the id of a page.
    """
    if not request.session_hash:
        raise UserError("session_hash: give one, the same for each request")
    return request.session_hash
