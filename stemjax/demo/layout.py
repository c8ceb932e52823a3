"""Layout of the page: components by section, from top left to bottom right."""

from typing import Any, NamedTuple

import gradio as gr

from stemjax.config.categories import CATEGORIES
from stemjax.config.decode import BEST
from stemjax.demo import texts
from stemjax.demo.service import MAX_VARIATIONS


class OpenSection(NamedTuple):
    """Components that open a recording."""

    upload: gr.File
    example: gr.Button
    silence: gr.Button
    bpm: gr.Number
    is_loop: gr.Checkbox
    about: gr.Markdown
    """Describes the open recording."""


class GenerateSection(NamedTuple):
    """Components that generate stems."""

    controls: list
    """In the order of `GenerationForm`, with the quality for `is_refined`."""
    estimate: gr.Markdown
    generate: gr.Button
    cancel: gr.Button


class CandidateSection(NamedTuple):
    """Components that show the variations."""

    status: gr.Markdown
    stems: list
    """Player of each variation alone."""
    mixes: list
    """Player of each variation in the mix."""
    keep: list
    """Button of each variation."""
    picture: gr.Image


class LayerSection(NamedTuple):
    """Components that show the layers and the mix."""

    mix: gr.Audio
    solo: gr.CheckboxGroup
    muted: gr.CheckboxGroup
    picture: gr.Image
    undo: gr.Button
    download: gr.Button
    zip_file: gr.File


class CodecSection(NamedTuple):
    """Components that play the recording through the codec."""

    start: gr.Button
    player: gr.Audio


class PageLayout(NamedTuple):
    """All components of the page that change or react."""

    opening: OpenSection
    generation: GenerateSection
    candidates: CandidateSection
    layers: LayerSection
    codec: CodecSection


def build_layout() -> PageLayout:
    """Create the components inside the current `gr.Blocks`."""
    gr.Markdown(texts.INTRODUCTION)
    with gr.Row():
        with gr.Column(scale=2):
            opening = _open_section()
            generation = _generate_section()
        with gr.Column(scale=3):
            candidates = _candidate_section()
            layers = _layer_section()
            codec = _codec_section()
            gr.Markdown(texts.LICENCE)
    return PageLayout(opening, generation, candidates, layers, codec)


def _open_section() -> OpenSection:
    gr.Markdown("### 1. Your recording")
    upload = gr.File(
        label="wav, flac, ogg or mp3, up to 5 minutes",
        type="filepath",
        elem_id="upload",
    )
    with gr.Row():
        example = gr.Button("Use the example", elem_id="example")
        silence = gr.Button("Start from silence", elem_id="silence")
    return OpenSection(
        upload,
        example,
        silence,
        bpm=gr.Number(label="Beats per minute (0: estimate)", value=0, elem_id="bpm"),
        is_loop=gr.Checkbox(label="Loop: whole bars, without a seam", elem_id="loop"),
        about=gr.Markdown(texts.NOTHING_OPEN, elem_id="about"),
    )


def _generate_section() -> GenerateSection:
    gr.Markdown("### 2. Instrument and settings")
    instrument = gr.Dropdown(
        list(CATEGORIES), value="bass", label="Instrument", elem_id="instrument"
    )
    quality = gr.Radio([texts.FAST, texts.REFINE], value=texts.FAST, label="Quality")
    variations = gr.Slider(1, MAX_VARIATIONS, value=2, step=1, label="Variations")
    context_scale, instrument_scale = BEST.scales
    context_scale = gr.Slider(
        *(1, 5, context_scale),
        step=0.1,
        label=texts.CONTEXT_SCALE,
        info=texts.CONTEXT_SCALE_INFO,
    )
    instrument_scale = gr.Slider(
        *(1, 5, instrument_scale),
        step=0.1,
        label=texts.INSTRUMENT_SCALE,
        info=texts.INSTRUMENT_SCALE_INFO,
    )
    w_causal = gr.Slider(
        *(0, 1, BEST.w_causal), step=0.05, label=texts.CAUSAL, info=texts.CAUSAL_INFO
    )
    seed = gr.Number(label="Seed", value=0, precision=0)
    estimate = gr.Markdown("", elem_id="expected")
    with gr.Row():
        generate = gr.Button("Generate", variant="primary", elem_id="answer")
        cancel = gr.Button("Cancel", elem_id="cancel")
    controls = [
        *(instrument, context_scale, instrument_scale, w_causal),
        *(quality, variations, seed),
    ]
    return GenerateSection(controls, estimate, generate, cancel)


def _candidate_section() -> CandidateSection:
    gr.Markdown("### 3. Variations: keep one")
    status = gr.Markdown(texts.NO_STEMS, elem_id="status")
    stems, mixes, keep = [], [], []
    for k in range(1, MAX_VARIATIONS + 1):
        with gr.Row():
            stems.append(_player(f"{k}: stem", visible=False))
            mixes.append(_player(f"{k}: mix", visible=False))
            keep.append(gr.Button(f"Keep {k}", visible=False, elem_id=f"keep-{k}"))
    picture = _picture("Mel spectrograms", visible=False)
    return CandidateSection(status, stems, mixes, keep, picture)


def _layer_section() -> LayerSection:
    gr.Markdown("### 4. Layers")
    mix = _player("Mix", elem_id="mix")
    with gr.Row():
        solo = gr.CheckboxGroup([], label="Solo", elem_id="solo")
        muted = gr.CheckboxGroup([], label="Mute", elem_id="mute")
    picture = _picture("Context, layers, mix", elem_id="picture")
    with gr.Row():
        undo = gr.Button("Remove the last layer", elem_id="undo")
        download = gr.Button("Zip stems, mix and session", elem_id="pack")
    zip_file = gr.File(
        label="Download", interactive=False, visible=False, elem_id="packed"
    )
    return LayerSection(mix, solo, muted, picture, undo, download, zip_file)


def _codec_section() -> CodecSection:
    gr.Markdown(f"### {texts.CODEC}\n{texts.CODEC_INFO}")
    start = gr.Button("Play your recording through the codec", elem_id="trip")
    return CodecSection(start, _player("Your recording, through the codec"))


def _player(label: str, **more: Any) -> gr.Audio:
    return gr.Audio(label=label, buttons=["download"], interactive=False, **more)


def _picture(label: str, **more: Any) -> gr.Image:
    return gr.Image(
        label=label, show_label=False, buttons=["download"], interactive=False, **more
    )
