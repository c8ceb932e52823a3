"""The page as a Gradio app: connects the components to their event handlers."""

import gradio as gr

from stemjax.demo import texts
from stemjax.demo.handlers import Handlers
from stemjax.demo.layout import PageLayout, build_layout
from stemjax.demo.service import StemService
from stemjax.demo.sessions import Sessions

ONE_AT_A_TIME = {"concurrency_id": "decoding", "concurrency_limit": 1}
"""Events that use the model share one queue."""


def build_page(service: StemService, sessions: Sessions) -> gr.Blocks:
    """Build the page."""
    with gr.Blocks(title=texts.TITLE, analytics_enabled=False) as page:
        layout = build_layout()
        handlers = Handlers(service, sessions)
        _connect_opening(layout, handlers)
        _connect_generation(layout, handlers)
        _connect_layers(layout, handlers)
        _connect_codec(layout, handlers)
    return page


def _page_outputs(layout: PageLayout) -> list:
    """Components that `Handlers.page_values` fills."""
    layers = layout.layers
    return [
        *(layout.opening.about, layers.mix, layers.solo, layers.muted),
        *(layers.picture, layout.generation.estimate, layout.candidates.status),
    ]


def _candidate_outputs(layout: PageLayout) -> list:
    """Components that `Handlers.candidate_values` fills."""
    candidates = layout.candidates
    return [
        *(candidates.status, candidates.picture),
        *(*candidates.stems, *candidates.mixes, *candidates.keep),
    ]


def _connect_opening(layout: PageLayout, handlers: Handlers) -> None:
    section, outputs = layout.opening, _page_outputs(layout)
    inputs = [section.bpm, section.is_loop, *layout.generation.controls]
    section.upload.upload(
        handlers.open_upload,
        [section.upload, *inputs],
        outputs,
        api_name="open",
        **ONE_AT_A_TIME,
    )
    section.example.click(
        handlers.open_example, inputs, outputs, api_name="example", **ONE_AT_A_TIME
    )
    section.silence.click(
        handlers.open_silence, inputs, outputs, api_name="silence", **ONE_AT_A_TIME
    )


def _connect_generation(layout: PageLayout, handlers: Handlers) -> None:
    section = layout.generation
    gr.on(
        [control.change for control in section.controls],
        handlers.estimate,
        section.controls,
        section.estimate,
        api_name="expected",
        queue=False,
        show_progress="hidden",
    )
    # outside the queue, so that a user who waits in the queue can cancel
    section.generate.click(handlers.register, None, None, api_name=False, queue=False)
    section.generate.click(
        handlers.generate,
        section.controls,
        _candidate_outputs(layout),
        api_name="answer",
        **ONE_AT_A_TIME,
    )
    section.cancel.click(handlers.cancel, None, None, api_name="stop", queue=False)


def _connect_layers(layout: PageLayout, handlers: Handlers) -> None:
    section = layout.layers
    controls = layout.generation.controls
    outputs = _page_outputs(layout) + _candidate_outputs(layout)[1:]
    for k, button in enumerate(layout.candidates.keep, start=1):
        inputs = [gr.State(k), *controls]
        button.click(handlers.keep, inputs, outputs, api_name=f"keep_{k}")
    section.undo.click(handlers.undo, controls, outputs, api_name="undo")
    gr.on(
        [section.solo.input, section.muted.input],
        handlers.mix,
        [section.solo, section.muted],
        section.mix,
        api_name="mix",
        preprocess=False,  # the choices are those of the session
    )
    section.download.click(
        handlers.download, None, section.zip_file, api_name="pack", **ONE_AT_A_TIME
    )


def _connect_codec(layout: PageLayout, handlers: Handlers) -> None:
    section = layout.codec
    section.start.click(
        handlers.play_codec,
        None,
        section.player,
        api_name="round_trip",
        **ONE_AT_A_TIME,
    )
