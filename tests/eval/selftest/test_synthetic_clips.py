"""Synthetic clips: what is heard is what the truth says; each corruption is itself."""

import numpy as np
import pytest

from stemjax.analysis.analysis import NO_CHORD
from stemjax.eval.selftest import synthetic
from stemjax.eval.selftest.synthesis import (
    HAT,
    KICK,
    NUM_SAMPLES,
    SAMPLE_RATE,
    SECONDS,
    SNARE,
    synthesise_notes,
)

# Krumhansl and Kessler (1982)
MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


@pytest.fixture(scope="module")
def clips():
    return [synthetic.make_clip(0, index) for index in range(48)]


def hertz(pitch):
    return 440 * 2 ** ((pitch - 69) / 12)


def spectrum(audio, start, end, size=1 << 16):
    """Magnitudes of the Hann-windowed stretch, and the Hz of a bin."""
    part = audio[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    return np.abs(np.fft.rfft(part * np.hanning(len(part)), size)), SAMPLE_RATE / size


def assert_melody_is_heard(audio, notes):
    """The loudest frequency of each note's stretch is the note's, to 0.3 semitones.

    The main lobe of the shortest note, 0.18 s, is 1 semitone wide at its lowest pitch.
    """
    for onset, offset, pitch in notes:
        magnitudes, step = spectrum(audio, onset, offset)
        loudest = 69 + 12 * np.log2(np.argmax(magnitudes) * step / 440)
        assert abs(loudest - pitch) < 0.3, (onset, offset, pitch, loudest)


def test_a_clip_depends_on_seed_and_index_alone(clips):
    again, other_seed = synthetic.make_clip(0, 5), synthetic.make_clip(1, 5)
    np.testing.assert_array_equal(again.mix, clips[5].mix)
    np.testing.assert_array_equal(again.truth.notes, clips[5].truth.notes)
    for other in (other_seed, clips[6]):
        assert not np.array_equal(other.truth.beats, again.truth.beats)
        assert not np.array_equal(other.drums, again.drums)


def test_stems_sum_to_the_mix_without_clipping(clips):
    for clip in clips:
        stems = (clip.drums, clip.bass, clip.chords, clip.melody)
        for stem in stems:
            assert stem.shape == (NUM_SAMPLES,) and stem.dtype == np.float32
            assert np.sqrt(np.mean(stem**2)) > 0.01
        np.testing.assert_allclose(clip.mix, sum(stems), atol=1e-6)
        np.testing.assert_allclose(clip.mix - clip.context, clip.melody, atol=1e-6)
        assert np.max(np.abs(clip.mix)) < 1


def test_48_clips_hold_each_tonic_mode_and_meter_once(clips):
    kinds = {(clip.truth.key, clip.truth.beats_per_bar) for clip in clips}
    assert kinds == {(key, meter) for key in range(24) for meter in (3, 4)}


def test_beats_are_even_and_bars_begin_on_them(clips):
    for clip in clips:
        beats = clip.truth.beats
        tempo = 60 / np.diff(beats)
        np.testing.assert_allclose(tempo, tempo[0])
        assert 75 <= tempo[0] <= 150
        assert 0 < beats[0] < 0.5 and SECONDS - 60 / tempo[0] <= beats[-1] < SECONDS
        np.testing.assert_array_equal(
            clip.downbeats, beats[:: clip.truth.beats_per_bar]
        )
        kicks = clip.hits[clip.hits[:, 1] == KICK, 0]
        assert set(clip.downbeats[clip.downbeats < SECONDS - 0.02]) <= set(kicks)


def test_the_melody_is_its_notes(clips):
    for clip in clips[:12]:
        assert_melody_is_heard(clip.melody, clip.melody_notes)


def test_a_wrong_note_is_noticed(clips):
    with pytest.raises(AssertionError):
        assert_melody_is_heard(clips[0].melody, clips[0].melody_notes + [0, 0, 1])


def test_the_melody_is_silent_between_its_notes(clips):
    for clip in clips:
        is_sounding = np.zeros(NUM_SAMPLES, bool)
        for onset, offset, _ in clip.melody_notes:
            first, last = round(onset * SAMPLE_RATE), round(offset * SAMPLE_RATE)
            assert not is_sounding[first:last].any(), "one note at a time"
            is_sounding[first:last] = True
        assert not clip.melody[~is_sounding].any()


def test_the_pads_sound_the_triads_of_the_truth(clips):
    """The three strongest of the fundamentals 55-66 in each segment of one chord."""
    for clip in clips[:12]:
        for start, end, label in clip.truth.chords:
            if end - start < 0.6:
                continue
            magnitudes, step = spectrum(clip.chords, start, end, 1 << 18)
            pitches = np.arange(55, 67)
            bins = np.round(hertz(pitches) / step).astype(int)
            heard = {int(p) % 12 for p in pitches[np.argsort(magnitudes[bins])[-3:]]}
            root, third = int(label) % 12, 3 if label >= 12 else 4
            assert heard == {root, (root + third) % 12, (root + 7) % 12}


def test_chords_cover_the_clip_and_context_notes_are_theirs(clips):
    for clip in clips:
        chords = clip.truth.chords
        assert chords[0, 0] == 0 and chords[-1, 1] == SECONDS
        np.testing.assert_array_equal(chords[1:, 0], chords[:-1, 1])
        assert (np.diff(chords[:, 2]) != 0).all()
        assert chords[0, 2] == NO_CHORD and (chords[1:, 2] != NO_CHORD).all()
        for onset, _, pitch in clip.context_notes:
            label = int(chords[np.searchsorted(chords[:, 0], onset, "right") - 1, 2])
            third = 3 if label >= 12 else 4
            assert (pitch - label) % 12 in (0, third, 7)


def test_loops_rest_on_the_tonic_and_dominant_or_subdominant(clips):
    for clip in clips:
        tonic, mode = clip.truth.key % 12, clip.truth.key // 12
        boundary = clip.truth.sections[1, 0]
        for label in clip.truth.chords[
            np.isin(clip.truth.chords[:, 0], [clip.downbeats[0], boundary]), 2
        ]:
            assert label == clip.truth.key
        anchor = (tonic + (7, 5)[mode]) % 12 + 12 * mode
        assert anchor in clip.truth.chords[:, 2]


def test_sections_meet_on_a_bar_line_near_the_middle(clips):
    for clip in clips:
        (start, boundary, first), (again, end, second) = clip.truth.sections
        assert (start, end, first, second) == (0, SECONDS, 0, 1)
        assert boundary == again and boundary in clip.downbeats
        bar = clip.downbeats[1] - clip.downbeats[0]
        assert 8 - bar / 2 <= boundary <= 12 + bar / 2


def test_exact_notes_tell_the_key(clips):
    """Krumhansl and Kessler's profiles on the true notes: the ceiling for audio."""
    profiles = np.array(
        [np.roll(p, k) for p in (MAJOR_PROFILE, MINOR_PROFILE) for k in range(12)]
    )
    right = 0
    for clip in clips:
        onset, offset, pitch = clip.truth.notes.T
        weights = np.bincount(pitch.astype(int) % 12, offset - onset, minlength=12)
        scores = [np.corrcoef(weights, profile)[0, 1] for profile in profiles]
        right += int(np.argmax(scores)) == clip.truth.key
    assert right >= 0.9 * len(clips)


def test_notes_of_the_truth_are_of_all_stems_and_sorted(clips):
    for clip in clips:
        notes = clip.truth.notes
        assert len(notes) == len(clip.context_notes) + len(clip.melody_notes)
        assert sorted(map(tuple, notes[:, [0, 2]])) == [
            tuple(n) for n in notes[:, [0, 2]]
        ]
        assert (notes[:, 1] - notes[:, 0] >= 0.05).all() and notes[
            :, 1
        ].max() <= SECONDS
        assert (notes[:, 2] == np.round(notes[:, 2])).all()


@pytest.mark.parametrize(
    "voice, low, high", [(KICK, 30, 200), (SNARE, 1500, 4500), (HAT, 6200, 7900)]
)
def test_hits_are_the_onsets_of_their_band(clips, voice, low, high):
    """The band's level rises at each hit, and nowhere else.

    Levels are of 20 ms. Below 0.2 of the loudest lies the ringing of the sharp filter,
    0.16 at most in the frame before a hit that begins with the next.
    """
    frequencies = np.fft.rfftfreq(NUM_SAMPLES, 1 / SAMPLE_RATE)
    is_outside = (frequencies < low) | (frequencies > high)
    for clip in clips[:8]:
        gain = np.fft.rfft(clip.drums)
        gain[is_outside] = 0
        power = np.fft.irfft(gain, NUM_SAMPLES) ** 2
        level = np.sqrt(power.reshape(-1, 320).mean(axis=1))
        before = np.concatenate([[0], level[:-1]])
        is_rise = (level > 1.3 * before) & (level > 0.2 * level.max())
        times = clip.hits[clip.hits[:, 1] == voice, 0]
        frames = (times * 50).astype(int)
        is_hit = np.zeros(len(level) + 1, bool)
        is_hit[np.concatenate([frames, frames + 1])] = True
        assert (is_rise[frames] | is_rise[np.minimum(frames + 1, len(level) - 1)]).all()
        assert not (is_rise & ~is_hit[:-1]).any()


def test_density_by_hand():
    assert synthetic.most_in_window(np.array([])) == 0
    assert synthetic.most_in_window(np.array([1.0])) == 1
    # the window is half open: [0, 0.6) has three, and so has [0.25, 0.85)
    assert synthetic.most_in_window(np.array([0.0, 0.25, 0.5, 0.6, 2.0])) == 3
    assert synthetic.most_in_window(np.array([0.0, 0.25, 0.5, 0.59, 2.0])) == 4


def test_density_of_the_truth_counts_hits_and_attacks_no_snare_covers(clips):
    densities = []
    for clip in clips:
        snares = clip.hits[clip.hits[:, 1] == synthetic.SNARE, 0]
        attacks = [
            t
            for t in clip.melody_notes[:, 0]
            if not any(abs(t - snare) <= 0.04 for snare in snares)
        ]
        times = np.sort([*clip.hits[:, 0], *attacks])
        counts = [np.sum((times >= t) & (times < t + 0.6)) for t in times]
        assert clip.truth.percussive_density == max(counts)
        densities.append(max(counts))
        drums_alone = synthetic.silenced(clip).truth.percussive_density
        assert drums_alone == synthetic.most_in_window(clip.hits[:, 0])
        assert drums_alone <= max(counts)
    assert len(set(densities)) >= 5, "a population of one value tests nothing"


def test_transposed_sounds_a_semitone_higher_and_only_the_melody(clips):
    clip = clips[0]
    moved = synthetic.transposed(clip)
    np.testing.assert_array_equal(moved.melody_notes, clip.melody_notes + [0, 0, 1])
    assert_melody_is_heard(moved.melody, moved.melody_notes)
    np.testing.assert_array_equal(moved.context, clip.context)
    assert moved.truth.key == clip.truth.key
    assert len(moved.truth.notes) == len(clip.truth.notes)
    np.testing.assert_array_equal(synthetic.transposed(clip, 0).melody, clip.melody)


def test_late_moves_the_melody_and_its_notes(clips):
    clip = clips[0]
    moved = synthetic.late(clip, 0.15)
    np.testing.assert_array_equal(moved.melody[2400:], clip.melody[:-2400])
    assert not moved.melody[:2400].any() and len(moved.melody) == NUM_SAMPLES
    np.testing.assert_allclose(
        moved.melody_notes[:, 0], clip.melody_notes[: len(moved.melody_notes), 0] + 0.15
    )
    assert moved.melody_notes[:, 1].max() <= SECONDS
    np.testing.assert_array_equal(moved.context, clip.context)


def test_misaligned_and_silenced_replace_the_melody(clips):
    clip, other = clips[:2]
    swapped = synthetic.misaligned(clip, other)
    np.testing.assert_array_equal(swapped.melody, other.melody)
    np.testing.assert_array_equal(swapped.context, clip.context)
    assert {tuple(note) for note in other.melody_notes} <= {
        tuple(note) for note in swapped.truth.notes
    }
    assert swapped.truth.key == clip.truth.key
    again = synthetic.transposed(swapped, 0).melody
    np.testing.assert_array_equal(again, other.melody)
    silent = synthetic.silenced(clip)
    np.testing.assert_array_equal(silent.mix, clip.context)
    np.testing.assert_array_equal(silent.truth.notes, clip.context_notes)


def test_noise_stem_is_white_and_as_loud(clips):
    clip = clips[0]
    noisy = synthetic.noise_stem(clip, seed=3)
    powers = [
        np.mean(stem.astype(np.float64) ** 2) for stem in (clip.melody, noisy.melody)
    ]
    assert powers[1] == pytest.approx(powers[0], rel=0.02)  # 4 sd of 320,000 draws
    magnitudes = np.abs(np.fft.rfft(noisy.melody)) ** 2
    bands = magnitudes[1:].reshape(4, -1).sum(axis=1)
    np.testing.assert_allclose(bands / bands.sum(), 0.25, atol=0.005)
    np.testing.assert_array_equal(noisy.truth.notes, clip.context_notes)
    assert not np.array_equal(synthetic.noise_stem(clip, seed=4).melody, noisy.melody)


def test_low_pass_keeps_3_khz_and_removes_4():
    low, high = (
        np.sin(2 * np.pi * f * np.arange(NUM_SAMPLES) / SAMPLE_RATE).astype(np.float32)
        for f in (3000, 4000)
    )
    np.testing.assert_allclose(synthetic.low_pass(low + high), low, atol=1e-5)


def test_eight_bit_rounds_to_128_steps():
    audio = np.array([0.0, 0.003, 0.004, -0.5, 0.9999], np.float32)
    expected = [0.0, 0.0, 1 / 128, -0.5, 1.0]
    np.testing.assert_array_equal(synthetic.eight_bit(audio), np.float32(expected))


@pytest.mark.parametrize("snr_db", [40, 20, 10])
def test_add_noise_at_its_ratio(clips, snr_db):
    audio = clips[0].melody
    noise = synthetic.add_noise(audio, snr_db, seed=0) - audio
    ratio = np.sum(audio**2, dtype=np.float64) / np.sum(noise**2, dtype=np.float64)
    assert 10 * np.log10(ratio) == pytest.approx(snr_db, abs=0.05)


def test_a_tone_is_its_harmonics():
    """One note without decay against the sum of sines, between its ramps."""
    audio = synthesise_notes(
        np.array([[1.0, 2.0, 69.0]]), level=0.5, timbre=2, decay=0.0
    )
    phase = 2 * np.pi * 440 * np.arange(NUM_SAMPLES) / SAMPLE_RATE
    grid = np.linspace(0, 2 * np.pi, 1 << 14, endpoint=False)
    peak = np.max(sum(np.sin(k * grid) / k**2 for k in range(1, 9)))
    t = phase - phase[SAMPLE_RATE]
    expected = 0.5 / peak * sum(np.sin(k * t) / k**2 for k in range(1, 9))
    inner = slice(SAMPLE_RATE + 200, 2 * SAMPLE_RATE - 200)
    # the table's steps: 2 pi / 2**14 of the steepest slope, 0.5 / peak * sum 1 / k
    np.testing.assert_allclose(audio[inner], expected[inner], atol=6e-4)
    assert not audio[:SAMPLE_RATE].any() and not audio[2 * SAMPLE_RATE :].any()
