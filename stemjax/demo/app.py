"""The page in Gradio: what is shown and which end point does what."""

import pathlib
import tempfile
import time
from typing import Any

import gradio as gr
import numpy as np

from stemjax.arrays.mel import mel_power
from stemjax.demo import desk as desks
from stemjax.demo import words
from stemjax.demo.desk import MOST_VARIATIONS, Asked, Desk, Studio
from stemjax.demo.layout import lay_out
from stemjax.demo.uploads import read_upload, shown_name
from stemjax.io.errors import UserError
from stemjax.io.picture import save_spectrograms
from stemjax.io.release import PRETRAINED
from stemjax.session import hearing, timing

DECODING = "decoding"  # one of these end points at a time
PACK_MINUTES = 30  # a packed session is kept so long
EXAMPLE = PRETRAINED / "example" / "context.flac"
SILENT_SECONDS = 8.0
NO_PROGRESS = gr.Progress()
CANCELLED = "Cancelled; nothing was changed."


def build(studio: Studio, place: pathlib.Path) -> gr.Blocks:
    """The page.

    place: folder for packed sessions.
    """
    rate = studio.model.sample_rate
    with gr.Blocks(
        title=words.TITLE, analytics_enabled=False, delete_cache=(600, 3600)
    ) as page:
        parts = lay_out()
        state, sliders, expected = parts.state, parts.sliders, parts.expected
        shown = [
            *(state, parts.about, parts.mix, parts.solo, parts.muted),
            *(parts.picture, expected, parts.told),
        ]
        offered = [
            *(state, parts.told, parts.candidates_picture),
            *(*parts.stems, *parts.mixes, *parts.keeps),
        ]

        def asked_of(name, listens, clearly, causal, quality, count, seed) -> Asked:
            is_refined = quality == words.REFINE
            return Asked(name, listens, clearly, causal, is_refined, count, seed)

        def seconds_of(desk: Desk | None, *values: Any) -> str:
            if desk is None:
                return ""
            seconds = studio.expected_seconds(desk, asked_of(*values))
            return words.expected(timing.in_words(seconds), studio.speed is not None)

        def view(desk: Desk, *values: Any) -> list[Any]:
            """The values of `shown`."""
            names = desk.tracks()
            heard = desks.playable(studio.heard(desk, names), rate, rate)
            seconds = len(desk.context) / rate
            return [
                desk,
                words.opened(seconds, desk.music, desk.recording.file),
                (rate, heard),
                gr.CheckboxGroup(choices=names, value=[]),
                gr.CheckboxGroup(choices=names, value=[]),
                drawn(desk),
                seconds_of(desk, *values),
                words.NO_ANSWER,
            ]

        def drawn(desk: Desk, candidates: bool = False) -> np.ndarray:
            rows = [("context", desk.context)]
            if candidates:
                rows += [
                    (f"variation {k}", v.stem) for k, v in _numbered(desk.candidates)
                ]
            else:
                rows += [
                    (f"{v.layer.id}: {v.layer.instrument}", v.stem) for v in desk.voices
                ]
                rows.append(("mix", studio.heard(desk, desk.tracks())))
            return picture_of(rows, rate)

        def started(recording, bpm, is_loop, values) -> list[Any]:
            with told_to_the_page():
                desk = studio.open(recording, bpm=bpm, is_loop=is_loop)
                return view(desk, *values)

        def open_upload(path: str | None, bpm, is_loop, *values: Any) -> list[Any]:
            if not path:
                raise gr.Error("Upload a recording first.", print_exception=False)
            with told_to_the_page():
                recording = read_upload(path, shown_name(path))
            return started(recording, bpm, is_loop, values)

        def open_example(bpm, is_loop, *values: Any) -> list[Any]:
            return started(read_upload(EXAMPLE, EXAMPLE.name), bpm, is_loop, values)

        def open_silence(bpm, is_loop, *values: Any) -> list[Any]:
            recording = hearing.silence(SILENT_SECONDS, rate)
            return started(recording, bpm, is_loop, values)

        def ask(
            desk: Desk | None,
            name: str,
            listens: float,
            clearly: float,
            causal: float,
            quality: str,
            count: int,
            seed: int,
            request: gr.Request,
            progress: gr.Progress = NO_PROGRESS,
        ) -> list[Any]:
            needs(desk)
            with told_to_the_page():
                asked = asked_of(name, listens, clearly, causal, quality, count, seed)
                try:
                    desk = studio.answer(
                        desk,
                        asked,
                        who=request.session_hash,
                        progress=lambda done, steps: progress(
                            (done, steps), desc=asked.instrument, unit="steps"
                        ),
                    )
                except desks.Cancelled:
                    return offer(desk, CANCELLED)
            return offer(desk, f"{len(desk.candidates)} answers of {asked.instrument}.")

        def offer(desk: Desk, said: str) -> list[Any]:
            """The values of `offered`."""
            found = desk.candidates
            hidden = [gr.update(value=None, visible=False)] * (
                MOST_VARIATIONS - len(found)
            )
            here = [(rate, desks.playable(v.stem, rate, rate)) for v in found]
            beside = [
                (rate, desks.playable(studio.with_context(desk, v), rate, rate))
                for v in found
            ]
            buttons = [
                gr.update(visible=k < len(found)) for k in range(MOST_VARIATIONS)
            ]
            image = drawn(desk, candidates=True) if found else None
            return [
                desk,
                said,
                gr.update(value=image, visible=bool(found)),
                *[gr.update(value=audio, visible=True) for audio in here],
                *hidden,
                *[gr.update(value=audio, visible=True) for audio in beside],
                *hidden,
                *buttons,
            ]

        def wait(desk: Desk | None, request: gr.Request) -> None:
            if desk is not None:
                studio.expect(request.session_hash)

        def stop(request: gr.Request) -> None:
            studio.stop(request.session_hash)

        def kept(desk: Desk | None, number: int, *values: Any) -> list[Any]:
            needs(desk)
            with told_to_the_page():
                desk = desks.keep(desk, int(number))
            return view(desk, *values) + offer(desk, words.NO_ANSWER)[2:]

        def undone(desk: Desk | None, *values: Any) -> list[Any]:
            needs(desk)
            desk = desks.without_last(desk)
            return view(desk, *values) + offer(desk, words.NO_ANSWER)[2:]

        def mixed(desk: Desk | None, solo: list[str], muted: list[str]) -> tuple:
            needs(desk)
            names = desks.audible(desk.tracks(), solo, muted)
            return rate, desks.playable(studio.heard(desk, names), rate, rate)

        def packed_up(desk: Desk | None) -> Any:
            needs(desk)
            sweep(place)
            folder = pathlib.Path(tempfile.mkdtemp(dir=place))
            path = folder / "stemjax-session.zip"
            path.write_bytes(studio.pack(desk))
            return gr.update(value=str(path), visible=True)

        def round_trip(desk: Desk | None) -> tuple:
            needs(desk)
            return rate, desks.playable(studio.round_trip(desk), rate, rate)

        opening = [parts.bpm, parts.is_loop, *sliders]
        alone = {"concurrency_id": DECODING, "concurrency_limit": 1}
        parts.upload.upload(
            open_upload, [parts.upload, *opening], shown, api_name="open", **alone
        )
        parts.example.click(open_example, opening, shown, api_name="example", **alone)
        parts.nothing.click(open_silence, opening, shown, api_name="silence", **alone)
        gr.on(
            [slider.change for slider in sliders],
            seconds_of,
            [state, *sliders],
            expected,
            api_name="expected",
            queue=False,
            show_progress="hidden",
        )
        # at once, before the queue: who waits there can cancel
        parts.answer.click(wait, state, None, api_name=False, queue=False)
        parts.answer.click(ask, [state, *sliders], offered, api_name="answer", **alone)
        parts.cancel.click(stop, None, None, api_name="stop", queue=False)
        for k, button in _numbered(parts.keeps):
            inputs = [state, gr.State(k), *sliders]
            button.click(kept, inputs, shown + offered[2:], api_name=f"keep_{k}")
        parts.undo.click(
            undone, [state, *sliders], shown + offered[2:], api_name="undo"
        )
        gr.on(
            [parts.solo.input, parts.muted.input],
            mixed,
            [state, parts.solo, parts.muted],
            parts.mix,
            api_name="mix",
        )
        parts.pack.click(packed_up, state, parts.packed, api_name="pack", **alone)
        parts.trip.click(
            round_trip, state, parts.tripped, api_name="round_trip", **alone
        )
    return page


def _numbered(things) -> list[tuple[int, Any]]:
    return list(enumerate(things, start=1))


def needs(desk: Desk | None) -> None:
    """That a recording is open."""
    if desk is None:
        raise gr.Error(words.NOTHING_OPEN, print_exception=False)


class told_to_the_page:
    """Bad input is a message on the page; the server goes on."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if isinstance(error, UserError):
            raise gr.Error(str(error), print_exception=False) from None


def picture_of(rows: list[tuple[str, np.ndarray]], rate: int) -> np.ndarray:
    """Mel spectrograms as an image [H, W, 3] uint8."""
    from matplotlib import image

    with tempfile.TemporaryDirectory(prefix="stemjax-") as folder:
        path = pathlib.Path(folder) / "rows.png"
        save_spectrograms(
            path,
            [(title, mel_power(audio, sample_rate=rate)) for title, audio in rows],
            seconds=len(rows[0][1]) / rate,
        )
        pixels = image.imread(path)
    return np.round(255 * pixels[..., :3]).astype(np.uint8)


def sweep(place: pathlib.Path) -> None:
    """Remove packed sessions that nobody fetched."""
    for folder in place.iterdir():
        if time.time() - folder.stat().st_mtime > 60 * PACK_MINUTES:
            for file in folder.iterdir():
                file.unlink(missing_ok=True)
            folder.rmdir()
