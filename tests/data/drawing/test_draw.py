"""Draws: pure, uniform where the paper leaves it open, and never silent by choice."""

import itertools

import numpy as np
import pytest

from stemjax.config.streams import Stream
from stemjax.config.train import PairConfig
from stemjax.data.drawing.draw import (
    PairDraw,
    epoch_order,
    is_audible_somewhere,
    mix_db,
    submix,
    usable,
)
from stemjax.data.drawing.pairs import pair_pool
from stemjax.data.drawing.redraw import Candidate, redraw_until_audible
from stemjax.data.prepared.segments import RMS_SAMPLES, SAMPLE_RATE
from stemjax.io.errors import UserError
from stemjax.io.random import generator
from tests.data.tables import draw, table

PAIRS = PairConfig()  # 20 s crops


def test_draws_never_change():
    # What was drawn when the test was written: a resumed run depends on the same
    # numbers, from whatever version of NumPy.
    made = table([[0, 4, 16, -1], [4, 16], [0, 3, 11]])
    fixed = {"samples": 640_000, "redraws": 0, "is_fallback": False}
    assert draw(made, 0, 0, 0, PAIRS) == PairDraw(
        song=2, segment=2, start=101_136, context=(6,), target=7, instrument=3, **fixed
    )
    assert draw(made, 7, 3, 2, PAIRS) == PairDraw(
        song=1,
        segment=1,
        start=1_097_492,
        context=(4,),
        target=5,
        instrument=16,
        **fixed,
    )
    np.testing.assert_array_equal(epoch_order(8, 0, 0), [3, 6, 4, 0, 7, 5, 2, 1])


def test_a_draw_depends_on_the_tuple_alone():
    made = table([[0, 4, 16]] * 5)
    keys = list(itertools.product((0, 1), (0, 1), range(5)))
    forwards = [draw(made, *key, PAIRS) for key in keys]
    backwards = [draw(made, *key, PAIRS) for key in reversed(keys)]
    assert forwards == backwards[::-1]
    assert len({(d.start, d.context, d.target) for d in forwards}) > 15


def test_an_epoch_visits_every_segment_once():
    made = table([[0, 4]] * 50)
    orders = [
        [draw(made, 1, epoch, k, PAIRS).segment for k in range(50)] for epoch in (0, 1)
    ]
    for order in orders:
        assert sorted(order) == list(range(50))
    assert orders[0] != orders[1] != list(range(50))


def test_segments_that_give_no_pair_are_left_out_and_counted():
    made = table([[4], [-1, -1], [4, 16], [-1, 4], [0, 4], [0, 4], [0, 4]])
    made.segment_samples[6] = 9 * SAMPLE_RATE
    made.stem_rms_db[-2:, 90:] = -120  # 9 s: less than half of a crop
    made.stem_rms_db[-4:-2] = -120  # segment 5 is silent
    made.stem_rms_db[-6] = -120  # in segment 4 only one stem sounds
    np.testing.assert_array_equal(usable(made, PAIRS).segments, [2, 3])

    class Silent:
        def index(self, split):
            return table([[4], [-1, -1]])

    with pytest.raises(UserError, match="no segment has two stems that sound"):
        pair_pool(Silent(), PAIRS, "train", 0)


def test_targets_are_labelled_and_outside_of_their_context():
    made = table([[-1, 4, 16, 0]])
    draws = [draw(made, 0, epoch, 0, PAIRS) for epoch in range(600)]
    assert all(d.target not in d.context for d in draws)
    assert all(d.instrument == made.stem_category[d.target] for d in draws)
    counts = np.bincount([d.target for d in draws], minlength=4)
    assert counts[0] == 0
    # 200 each; five standard deviations of a binomial(600, 1/3) are 58
    assert np.abs(counts[1:] - 200).max() < 58
    sizes = np.bincount([len(d.context) for d in draws], minlength=4)
    assert sizes[0] == 0 and np.abs(sizes[1:] - 200).max() < 58
    starts = np.array([d.start for d in draws]) / (40 * SAMPLE_RATE)
    assert starts.min() < 0.02 and starts.max() > 0.98 and starts.max() <= 1
    assert abs(starts.mean() - 0.5) < 5 * (12 * 600) ** -0.5


def test_every_subset_of_a_size_is_equally_likely():
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((9,))))
    subsets = [tuple(submix(rng, np.arange(3)).tolist()) for _ in range(3_000)]
    counts = {s: subsets.count(s) for s in set(subsets)}
    assert len(counts) == 7
    for subset, count in counts.items():
        chance = 1 / 3 / (1 if len(subset) == 3 else 3)
        deviation = (3_000 * chance * (1 - chance)) ** 0.5
        assert abs(count - 3_000 * chance) < 5 * deviation


def share_active(made, stems, start, samples):
    """Slow twin of the silence test: frame by frame, power by power."""
    first, last = start // RMS_SAMPLES, -(-(start + samples) // RMS_SAMPLES)
    active = 0
    for frame in range(first, last):
        power = sum(10 ** (float(made.stem_rms_db[s, frame]) / 10) for s in stems)
        active += 10 * np.log10(power) > -60
    return active / (last - first)


def test_both_parts_sound_and_redraws_are_counted():
    made = table([[0, 4, 16]])
    made.stem_rms_db[0, 150:450] = -120
    made.stem_rms_db[1, :300] = -120
    draws = [draw(made, 0, epoch, 0, PAIRS) for epoch in range(60)]
    for d in draws:
        assert not d.is_fallback
        assert share_active(made, d.context, d.start, d.samples) >= 0.5
        assert share_active(made, (d.target,), d.start, d.samples) >= 0.5
    assert sum(d.redraws for d in draws) > 0


def test_without_a_passing_crop_the_loudest_is_taken():
    made = table([[0, 4]])  # one plays at the start, the other at the end
    made.stem_rms_db[0, 250:] = -120
    made.stem_rms_db[1, :350] = -120  # a crop has at most 5 s of the one that has less
    tried = [draw(made, 0, 0, 0, PairConfig(tries=tries)) for tries in range(17)]
    assert all(d.is_fallback for d in tried)
    assert [d.redraws for d in tried] == list(range(17))

    def loudness(d: PairDraw) -> float:
        parts = (np.array(d.context), np.array([d.target]))
        return min(float(mix_db(made, p, d.start, d.samples).mean()) for p in parts)

    levels = [loudness(d) for d in tried]
    assert levels == sorted(levels) and levels[-1] > levels[0]


def test_the_first_audible_candidate_is_taken_otherwise_the_loudest():
    levels = iter([-70.0, -65.0, -80.0, -10.0])
    draws = iter("abcd")

    def draw_one():
        level = next(levels)
        return Candidate(next(draws), level > -60, level)

    assert redraw_until_audible(draw_one, 2) == ("b", 2, True)
    assert redraw_until_audible(draw_one, 2) == ("d", 0, False)


def test_powers_of_stems_add():
    made = table([[0, 4]])
    made.stem_rms_db[:, 1] = (-20, -30)
    levels = mix_db(made, np.array([0, 1]), 0, 2 * RMS_SAMPLES)
    # two equal powers are 3.01 dB more; 0.01 + 0.001 is -19.586 dB
    np.testing.assert_allclose(levels, [-16.9897, -19.5861], atol=1e-3)
    past_the_end = mix_db(made, np.array([0]), 599 * RMS_SAMPLES, 3 * RMS_SAMPLES)
    np.testing.assert_allclose(past_the_end, [-20, -120, -120], atol=1e-3)


def test_a_short_segment_is_taken_whole():
    made = table([[0, 4]], seconds=12)
    d = draw(made, 0, 0, 0, PAIRS)
    assert (d.start, d.samples, d.is_fallback) == (0, 640_000, False)


def test_passing_somewhere_needs_both_parts_in_one_crop():
    active = np.array([[0, 0, 1, 1, 1, 0, 0, 0]])
    late = np.array([[0, 0, 0, 0, 0, 1, 1, 1]])
    db = [np.where(x, -20.0, -90.0) for x in (active, late)]
    crop = PairConfig(crop_seconds=0.4, active_fraction=0.5)
    assert is_audible_somewhere((db[0],), crop).all()
    assert is_audible_somewhere((db[0], db[1]), crop).all()  # frames 3 to 6: two each
    strict = PairConfig(crop_seconds=0.4, active_fraction=0.75)
    assert is_audible_somewhere((db[0],), strict).all()
    assert not is_audible_somewhere((db[0], db[1]), strict).any()


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError):
        generator(-1, Stream.DATA_ORDER, 0)
