"""evaluate.py codec-table: which clips are held out, and which fit k-means."""

import numpy as np
import pytest

import evaluate
from stemjax import codec
from stemjax.cli.evaluate.arguments import CodecTable
from stemjax.config.presets import CODEC_TINY
from tests.data.made_songs import plain_songs, prepare_command, sine, write_audio

pytestmark = pytest.mark.entry


def test_clips_to_fit_may_come_from_other_data(tmp_path, monkeypatch):
    """Held out: a tone of 1 kHz.  To fit: the bass and the piano of other songs."""
    held = tmp_path / "held"
    write_audio(held / "in" / "test" / "one" / "piano.wav", sine(2.0, pitch=1000.0))
    other = tmp_path / "other"
    plain_songs(other / "in", 2)
    for folder in (held, other):
        prepare_command(monkeypatch, "folder", folder)
    codec.random(CODEC_TINY.model, 0).save(tmp_path / "codec")
    given = {}
    monkeypatch.setattr(
        "stemjax.cli.evaluate.codec_table.run_codec_table",
        lambda command, codec, held_out, training: given.update(
            held_out=held_out, training=training
        ),
    )
    evaluate.codec_table(
        CodecTable(
            data=str(held / "out"),
            fit_data=str(other / "out"),
            codec=str(tmp_path / "codec"),
            clips=3,
            seconds=1.0,
        )
    )

    def pitches(clips):
        hertz = np.fft.rfftfreq(32_000, 1 / 32_000)
        return {round(hertz[np.abs(np.fft.rfft(clip)).argmax()]) for clip in clips}

    assert len(given["training"]) == 3 and pitches(given["held_out"]) == {1000}
    assert pitches(given["training"]) <= {110, 117, 220, 227}
