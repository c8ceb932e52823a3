"""Evaluation accepts the pairs that training accepts, on tables of any levels."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from stemjax.config.categories import CATEGORIES
from stemjax.config.train import PairConfig
from stemjax.data.drawing.evaluation_pairs import make_pairs
from stemjax.data.drawing.evaluation_stems import mismatched
from stemjax.io.errors import UserError
from tests.data.tables import draw, table

SECONDS, FRAMES = 2.0, 20
PAIRS = PairConfig(crop_seconds=SECONDS)
LOUD = st.sampled_from([-5.0, -30.0, -59.0])
QUIET = st.sampled_from([-61.0, -62.9, -90.0, -120.0])
SONG = st.lists(
    st.tuples(
        st.sampled_from([-1, 0, 4]),
        st.integers(0, FRAMES),
        st.booleans(),
        LOUD,
        QUIET,
    ),
    min_size=1,
    max_size=4,
)


class Songs:
    """Songs of one segment as long as a crop, so that a pair is a choice of stems."""

    content_hash = "made"

    def __init__(self, songs):
        self.table = table([[s[0] for s in song] for song in songs], seconds=SECONDS)
        for row, (_, active, is_late, loud, quiet) in enumerate(
            itertools.chain(*songs)
        ):
            level = np.where(np.arange(FRAMES) < active, loud, quiet)
            self.table.stem_rms_db[row, :FRAMES] = level[::-1] if is_late else level

    def index(self, split):
        return self.table


def sounds(made, stems):
    """Slow twin of the rule, A19: the summed power is above -60 dB in half the frames."""
    active = 0
    for frame in range(FRAMES):
        power = sum(10 ** (float(made.stem_rms_db[s, frame]) / 10) for s in stems)
        active += 10 * np.log10(power) > -60
    return active >= FRAMES / 2


def acceptable(made):
    """All pairs that may be drawn: (song, target, context), stems by their row."""
    pairs = set()
    for song, first in enumerate(made.stem_offset[:-1]):
        stems = range(first, made.stem_offset[song + 1])
        for target in stems:
            if made.stem_category[target] < 0 or not sounds(made, [target]):
                continue
            others = [s for s in stems if s != target]
            for size in range(1, len(others) + 1):
                for context in itertools.combinations(others, size):
                    if sounds(made, context):
                        pairs.add((song, int(target), tuple(map(int, context))))
    return pairs


def evaluated(source, count):
    """Pairs of an evaluation: the same triples."""
    made, found = source.table, set()
    for row in make_pairs(
        source, split="test", count=count, seed=0, crop_seconds=SECONDS
    ):
        first = int(made.stem_offset[row.segment])
        context = tuple(first + stem for stem in row.context)
        found.add((row.segment, first + row.target, context))
        assert CATEGORIES[made.stem_category[first + row.target]] == row.category
    return found


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(SONG, min_size=1, max_size=2))
def test_evaluation_accepts_what_training_accepts(songs):
    source = Songs(songs)
    wanted = acceptable(source.table)
    if not wanted:
        try:
            evaluated(source, 1)
        except UserError as error:
            assert "two stems that sound" in str(error)
            return
        raise AssertionError("a pair of stems that do not sound")
    assert evaluated(source, 60) <= wanted
    trained = set()
    for epoch in range(60):
        drawn = draw(source.table, 0, epoch, 0, PAIRS)
        if not drawn.is_fallback:
            trained.add((drawn.song, drawn.target, drawn.context))
    assert trained <= wanted


def test_all_that_is_acceptable_is_drawn_by_both():
    """A burst is loud on average, and a soft part sounds: the mean level ranks neither."""
    burst, soft = (0, 3, False, -5.0, -120.0), (4, 11, True, -59.0, -120.0)
    steady = (0, 20, False, -30.0, -90.0)
    source = Songs([[burst, soft, steady], [soft, burst]])
    wanted = acceptable(source.table)
    # the burst is no target and no context of its own, but part of a submix
    assert wanted == {(0, 1, (2,)), (0, 1, (0, 2)), (0, 2, (1,)), (0, 2, (0, 1))}
    assert evaluated(source, 80) == wanted
    draws = [draw(source.table, 0, epoch, 0, PAIRS) for epoch in range(80)]
    assert {(d.song, d.target, d.context) for d in draws if not d.is_fallback} == wanted


def test_a_mismatched_stem_sounds_as_a_target_does():
    burst, soft = (0, 3, False, -5.0, -120.0), (0, 11, False, -59.0, -120.0)
    steady = (4, 20, False, -30.0, -90.0)
    source = Songs([[soft, steady], [soft, burst, burst], [burst, steady]])
    pairs = make_pairs(source, split="test", count=20, seed=0, crop_seconds=SECONDS)
    others = {
        (other.segment, other.target)
        for pair, other in zip(pairs, mismatched(source, pairs, seed=0), strict=True)
        if pair.category == CATEGORIES[0] and other is not None
    }
    assert others == {(1, 0)}
