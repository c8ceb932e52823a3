"""What is on the page, from left to right and from top to bottom."""

from typing import Any, NamedTuple

import gradio as gr

from stemjax.config.categories import CATEGORIES
from stemjax.config.decode import BEST
from stemjax.demo import words
from stemjax.demo.desk import MOST_VARIATIONS


class Parts(NamedTuple):
    """The parts that do something."""

    state: gr.State
    upload: gr.File
    example: gr.Button
    nothing: gr.Button
    bpm: gr.Number
    is_loop: gr.Checkbox
    about: gr.Markdown
    sliders: list
    """Instrument, the three sliders, quality, variations, seed."""
    expected: gr.Markdown
    answer: gr.Button
    cancel: gr.Button
    told: gr.Markdown
    stems: list
    """Of each variation."""
    mixes: list
    keeps: list
    candidates_picture: gr.Image
    mix: gr.Audio
    solo: gr.CheckboxGroup
    muted: gr.CheckboxGroup
    picture: gr.Image
    undo: gr.Button
    pack: gr.Button
    packed: gr.File
    trip: gr.Button
    tripped: gr.Audio


def _player(label: str, **more: Any) -> gr.Audio:
    return gr.Audio(label=label, buttons=["download"], interactive=False, **more)


def _picture(label: str, **more: Any) -> gr.Image:
    return gr.Image(
        label=label, show_label=False, buttons=["download"], interactive=False, **more
    )


def lay_out() -> Parts:
    """Put the parts on the page that is being built."""
    state = gr.State(None)
    gr.Markdown(words.INTRODUCTION)
    with gr.Row():
        with gr.Column(scale=2):
            gr.Markdown("### 1. Your recording")
            upload = gr.File(
                label="wav, flac, ogg or mp3, up to 5 minutes",
                type="filepath",
                elem_id="upload",
            )
            with gr.Row():
                example = gr.Button("Take the example", elem_id="example")
                nothing = gr.Button("Begin from silence", elem_id="silence")
            bpm = gr.Number(label="Beats a minute (0: found)", value=0, elem_id="bpm")
            is_loop = gr.Checkbox(
                label="It is a loop: whole bars, without a seam", elem_id="loop"
            )
            about = gr.Markdown(words.NOTHING_OPEN, elem_id="about")
            gr.Markdown("### 2. What shall answer?")
            instrument = gr.Dropdown(
                list(CATEGORIES),
                value="bass",
                label="Instrument",
                elem_id="instrument",
            )
            quality = gr.Radio(
                [words.FAST, words.REFINE], value=words.FAST, label="Quality"
            )
            count = gr.Slider(1, MOST_VARIATIONS, value=2, step=1, label="Variations")
            listens, clearly = (
                gr.Slider(1, 5, value=scale, step=0.1, label=label, info=more)
                for scale, label, more in zip(
                    BEST.scales,
                    (words.LISTENS, words.CLEARLY),
                    (words.LISTENS_MORE, words.CLEARLY_MORE),
                    strict=True,
                )
            )
            causal = gr.Slider(
                0,
                1,
                value=BEST.w_causal,
                step=0.05,
                label=words.CAUSAL,
                info=words.CAUSAL_MORE,
            )
            seed = gr.Number(label="Seed", value=0, precision=0)
            expected = gr.Markdown("", elem_id="expected")
            with gr.Row():
                answer = gr.Button("Answer", variant="primary", elem_id="answer")
                cancel = gr.Button("Cancel", elem_id="cancel")
        with gr.Column(scale=3):
            gr.Markdown("### 3. Listen, keep one")
            told = gr.Markdown(words.NO_ANSWER, elem_id="told")
            stems, mixes, keeps = [], [], []
            for k in range(1, MOST_VARIATIONS + 1):
                with gr.Row():
                    stems.append(_player(f"{k}: alone", visible=False))
                    mixes.append(_player(f"{k}: with yours", visible=False))
                    keeps.append(
                        gr.Button(f"Keep {k}", visible=False, elem_id=f"keep-{k}")
                    )
            candidates_picture = _picture("Mel spectrograms", visible=False)
            gr.Markdown("### 4. The layers")
            mix = _player("Mix", elem_id="mix")
            with gr.Row():
                solo = gr.CheckboxGroup([], label="Solo", elem_id="solo")
                muted = gr.CheckboxGroup([], label="Mute", elem_id="mute")
            picture = _picture("Context, layers, mix", elem_id="picture")
            with gr.Row():
                undo = gr.Button("Take the last layer away", elem_id="undo")
                pack = gr.Button("Stems, mix and session as a zip", elem_id="pack")
            packed = gr.File(
                label="Download", interactive=False, visible=False, elem_id="packed"
            )
            gr.Markdown(f"### {words.ROUND_TRIP}\n{words.ROUND_TRIP_MORE}")
            trip = gr.Button("Through the codec", elem_id="trip")
            tripped = _player("Your recording, through the codec")
            gr.Markdown(words.LICENCE)
    return Parts(
        state=state,
        upload=upload,
        example=example,
        nothing=nothing,
        bpm=bpm,
        is_loop=is_loop,
        about=about,
        sliders=[instrument, listens, clearly, causal, quality, count, seed],
        expected=expected,
        answer=answer,
        cancel=cancel,
        told=told,
        stems=stems,
        mixes=mixes,
        keeps=keeps,
        candidates_picture=candidates_picture,
        mix=mix,
        solo=solo,
        muted=muted,
        picture=picture,
        undo=undo,
        pack=pack,
        packed=packed,
        trip=trip,
        tripped=tripped,
    )
