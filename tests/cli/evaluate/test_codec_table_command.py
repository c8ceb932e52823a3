"""`evaluate.py codec-table`: which clips it takes, what it prints, writes and draws."""

import json

import numpy as np
import pytest

from stemjax.arrays.mel import mel_power
from stemjax.cli.evaluate import codec_table as command
from stemjax.cli.evaluate.shared.decoding_arguments import CodecTableArguments
from stemjax.codec.codec import Codec
from stemjax.eval.reports import codec_report
from stemjax.eval.studies import codec_table
from stemjax.io import picture
from tests.data.made_songs import plain_songs, prepare_command, sine, write_audio
from tests.eval.studies.test_codec_table import RATE, TINY, chords


@pytest.mark.slow
def test_it_prints_codes_and_draws_clips(tmp_path, monkeypatch, capsys):
    train, test = chords(12, seed=0), chords(5, seed=1)
    variables = codec_table.untrained_variables(TINY, np.stack(train[:4]), seed=5)
    drawn = []

    def save_spectrograms(path, rows, **keywords):
        drawn.append(rows)
        picture.save_spectrograms(path, rows, **keywords)

    monkeypatch.setattr(codec_report, "save_spectrograms", save_spectrograms)
    arguments = CodecTableArguments(data="", out=str(tmp_path / "codec_table.json"))
    command.measure(arguments, Codec(TINY, variables, "tiny", ""), test, train)
    printed = capsys.readouterr().out
    assert printed.count("| level | perplexity |") == 1
    report = json.loads((tmp_path / "codec_table.json").read_text())
    levels = [level["level"] for level in report["levels"]]
    assert levels == [1, 2] and report["rows"][0]["name"] == "codec"
    # 23 inner frames of each of the 5 clips, of at most 64 codes
    assert all(1 < level["perplexity"] <= 64 for level in report["levels"])
    assert (tmp_path / "codec_table.png").read_bytes()[:4] == b"\x89PNG"
    ((original, decoded, *_),) = drawn
    assert (len(drawn[0]), original[0], decoded[0]) == (
        8,
        "clip 1",
        "clip 1 through the codec",
    )
    through = codec_table.codec_coder(variables, TINY)(test[0])[0]
    for audio, (_, mel) in ((test[0], original), (through, decoded)):
        # batches of 1 and of 4 round differently
        expected = mel_power(audio, sample_rate=RATE)
        np.testing.assert_allclose(mel, expected, rtol=1e-3, atol=1e-6)


def test_clips_to_fit_may_come_from_other_data(tmp_path, monkeypatch):
    """Held out: a tone of 1 kHz.  To fit: the bass and the piano of other songs."""
    held = tmp_path / "held"
    write_audio(held / "in" / "test" / "one" / "piano.wav", sine(2.0, pitch=1000.0))
    other = tmp_path / "other"
    plain_songs(other / "in", 2)
    for folder in (held, other):
        prepare_command(monkeypatch, "folder", folder)
    monkeypatch.setattr(command.codec, "load", lambda name: name)
    given = {}
    monkeypatch.setattr(
        command,
        "measure",
        lambda arguments, loaded, held_out, training: given.update(
            loaded=loaded, held_out=held_out, training=training
        ),
    )
    command.run(
        CodecTableArguments(
            data=str(held / "out"),
            fit_data=str(other / "out"),
            codec="mine",
            n=3,
            seconds=1.0,
        )
    )

    def pitches(clips):
        hertz = np.fft.rfftfreq(32_000, 1 / 32_000)
        return {round(hertz[np.abs(np.fft.rfft(clip)).argmax()]) for clip in clips}

    assert given["loaded"] == "mine"
    assert len(given["training"]) == 3 and pitches(given["held_out"]) == {1000}
    assert pitches(given["training"]) <= {110, 117, 220, 227}
