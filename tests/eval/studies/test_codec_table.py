"""The codec's table: rows whose numbers are known, order of the coders, the format."""

import math

import jax
import numpy as np
import pytest

from stemjax.codec import functional
from stemjax.config.codec import CodecConfig
from stemjax.eval.reports.codec_report import coders_markdown
from stemjax.eval.studies import codec_table

RATE = 32_000
TINY = CodecConfig(
    num_filters=2,
    upsampling_ratios=(40, 16),
    num_lstm_layers=0,
    hidden_size=8,
    num_codebooks=2,
    codebook_size=64,
)


def chords(count: int, seed: int, samples: int = RATE // 2) -> list[np.ndarray]:
    """Decaying three-note chords, [N] float32."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / RATE
    clips = []
    for _ in range(count):
        root = 220 * 2 ** (rng.integers(0, 12) / 12)
        notes = [np.sin(2 * np.pi * root * r * t) for r in (1, 1.25, 1.5)]
        clips.append((0.2 * np.exp(-3 * t) * sum(notes)).astype(np.float32))
    return clips


def test_a_perfect_coder_has_no_distance():
    clips = chords(3, seed=0)
    row = codec_table.score("itself", lambda clip: (clip, 1000.0), clips, RATE)
    assert row.mel < 1e-6  # the two spectra may be rounded apart
    assert row.si_sdr > 60 and row.clips == 3
    assert row.kbps == pytest.approx(2.0)  # 1000 bits for each half second


def test_silence_is_far_and_without_si_sdr():
    row = codec_table.score("silence", codec_table.silence_coder, chords(2, 0), RATE)
    # from the chords' bands at -20 to -60 dB down to the floor of -100 dB
    assert row.mel > 1.0
    assert math.isnan(row.si_sdr) and row.kbps == 0


def test_a_coder_that_halves_is_6_db_off_at_every_level():
    row = codec_table.score("half", lambda clip: (clip / 2, 0.0), chords(2, 0), RATE)
    assert row.level_error == pytest.approx(-6.02, abs=0.01)
    assert row.small_level_errors == 0


def test_level_errors_are_those_of_each_input_level():
    """A limiter at -20 dB has no error below it, and a growing one above."""

    def limit(clip):
        root = np.sqrt(np.mean(clip**2))
        return np.float32(clip * min(1.0, 0.1 / root)), 0.0

    errors = codec_table.level_errors(limit, chords(1, 0)[0], RATE)
    np.testing.assert_allclose(errors, [0, 0, 0, -8, -14], atol=0.01)
    row = codec_table.score("limiter", limit, chords(1, 0), RATE)
    assert row.level_error == pytest.approx(0, abs=0.01)
    assert row.small_level_errors == 0.6


def test_loudness_of_a_tone_is_its_power_after_the_k_filters():
    tone = np.float32(0.1 * np.sin(2 * np.pi * 1_000 * np.arange(RATE) / RATE))
    pyloudnorm = pytest.importorskip("pyloudnorm")
    wanted = pyloudnorm.Meter(RATE).integrated_loudness(tone.astype(np.float64))
    got = codec_table.loudness(tone, RATE)
    assert got == pytest.approx(wanted + 0.691, abs=0.05)  # 0.691 dB: its constant
    assert codec_table.loudness(0 * tone, RATE) == pytest.approx(-120)


def test_noise_reads_its_own_ratio():
    rng = np.random.default_rng(0)

    def noisy(clip):
        noise = rng.normal(size=clip.shape) * np.sqrt(np.mean(clip**2) / 10)
        return (clip + noise).astype(np.float32), 0.0

    row = codec_table.score("10 dB", noisy, chords(4, 1), RATE)
    assert row.si_sdr == pytest.approx(10, abs=0.3)  # 16,000 samples a clip


def test_silent_clips_are_not_scored():
    clips = [np.zeros(16_000, np.float32), *chords(1, 0)]
    row = codec_table.score("itself", lambda clip: (clip, 100.0), clips, RATE)
    assert row.clips == 1 and row.kbps == pytest.approx(0.2)
    with pytest.raises(ValueError, match="no clip above 0.001"):
        codec_table.score("itself", lambda clip: (clip, 0.0), clips[:1], RATE)
    with pytest.raises(ValueError, match=r"cut: clip \(16000,\) became \(5,\)"):
        codec_table.score("cut", lambda clip: (clip[:5], 0.0), clips, RATE)


def test_opus_says_what_it_cost():
    clips = chords(2, 0, samples=2 * RATE)
    row = codec_table.score("opus", codec_table.opus_coder(RATE), clips, RATE)
    # target: 6 kbit/s; Ogg pages and headers weigh on two seconds
    assert 3 < row.kbps < 12
    silence = codec_table.score("s", codec_table.silence_coder, clips, RATE)
    assert row.mel < 0.7 * silence.mel


@pytest.fixture(scope="module")
def rows():
    train, test = chords(12, seed=0), chords(2, seed=1)
    variables = codec_table.untrained_variables(TINY, np.stack(train[:4]), seed=5)
    table = codec_table.codec_table(variables, TINY, test, train)
    return {row.name: row for row in table}, list(table)


@pytest.mark.slow
def test_the_table_has_every_coder(rows):
    by_name, _ = rows
    assert list(by_name) == [
        "codec",
        "untrained codec",
        "silence",
        "k-means of log-mel, Griffin-Lim",
        "Opus, 24 kHz, lowest rate",
    ]
    # 2 levels of 6 bits, 50 frames a second; librosa's frames are one more
    assert by_name["codec"].kbps == pytest.approx(0.6)
    assert by_name["k-means of log-mel, Griffin-Lim"].kbps == pytest.approx(0.624)


@pytest.mark.slow
def test_what_is_heard_is_near_and_what_is_not_is_far(rows):
    by_name, _ = rows
    kmeans = by_name["k-means of log-mel, Griffin-Lim"]
    assert kmeans.mel < 0.6 * by_name["silence"].mel
    assert kmeans.mel < by_name["untrained codec"].mel
    # phases are lost: what Griffin-Lim invents is not the waveform
    assert kmeans.si_sdr < by_name["Opus, 24 kHz, lowest rate"].si_sdr


@pytest.mark.slow
def test_the_untrained_codec_is_seeded_and_uses_its_codes():
    clips = np.stack(chords(2, seed=3))
    a, b = (codec_table.untrained_variables(TINY, clips, seed=7) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, a, b)
    codes = functional.encode(a, TINY, clips)
    # 50 frames, 64 codes: codebooks that fit use many, random ones a handful
    assert all(len(np.unique(codes[:, q])) > 12 for q in range(2))


@pytest.mark.slow
def test_markdown_shows_numbers_and_gaps(rows):
    _, table = rows
    text = coders_markdown(table).splitlines()
    assert len(text) == 7 and text[1] == "|" + " --- |" * 7
    silence = next(line for line in text if line.startswith("| silence"))
    assert "| n/a | 0.00 | n/a | 0.00 | 2 |" in silence
