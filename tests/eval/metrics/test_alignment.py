"""Beats and chroma of stems against their contexts: by hand, by twins, and as heard."""

import json

import numpy as np
import pytest
import soundfile
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from stemjax.eval.metrics import alignment, related
from stemjax.eval.metrics.alignment import (
    BEATS,
    CHROMA,
    Heard,
    Population,
    align,
    f_measure,
    summarise,
)
from stemjax.eval.metrics.embeddings import log_mel
from stemjax.eval.metrics.jackknife import assign_groups, from_leave_outs
from stemjax.eval.metrics.vggish.features import GUDGUD
from stemjax.eval.populations import clips
from stemjax.eval.selftest import synthetic

N = 8
SYSTEMS = ("real", "late", "up", "others")
C_AND_G = np.eye(12)[0] + np.eye(12)[7]


def heard(beats=(), chroma=None, is_tonal=True):
    chroma = np.zeros((0, 12)) if chroma is None else np.asarray(chroma)
    return Heard(np.asarray(beats, float), chroma, is_tonal)


def test_f_measure_by_hand():
    truth = np.array([1.0, 2.0, 3.0])
    assert f_measure(truth + 0.069, truth, 0.07) == 1
    assert f_measure(truth + 0.071, truth, 0.07) == 0
    assert f_measure(truth[:1], truth, 0.07) == pytest.approx(2 / 4)
    assert f_measure(np.array([0.95, 1.0, 1.05]), truth, 0.07) == pytest.approx(2 / 6)
    assert f_measure(truth[:0], truth, 0.07) == f_measure(truth, truth[:0], 0.07) == 0


@pytest.mark.parametrize("seed", range(20))
def test_f_measure_matches_as_many_as_can_be(seed):
    """mir_eval.beat takes a maximum matching of the graph of near pairs."""
    rng = np.random.default_rng(seed)
    found, truth = (np.sort(rng.uniform(0, 2, rng.integers(5, 25))) for _ in range(2))
    is_near = np.abs(found[:, None] - truth) <= 0.07
    matched = (maximum_bipartite_matching(csr_array(is_near)) >= 0).sum()
    expected = 2 * matched / (len(found) + len(truth))
    assert f_measure(found, truth, 0.07) == pytest.approx(expected, abs=1e-12)


def test_a_stem_may_keep_time_at_any_metrical_level():
    beats = np.arange(9) * 0.5
    levels = alignment.metrical_levels(beats)
    expected = [
        np.arange(9) * 0.5,
        0.25 + np.arange(8) * 0.5,
        np.arange(17) * 0.25,
        np.arange(5) * 1.0,
        0.5 + np.arange(4) * 1.0,
    ]
    for level, times in zip(levels, expected, strict=True):
        np.testing.assert_allclose(level, times)
        assert alignment.beat_f_any_level(heard(beats), heard(times + 0.06)) == 1
        assert alignment.beat_f_any_level(heard(beats), heard(times + 0.125)) == 0
    # two of three in every other beat are hits, of all beats only two in nine
    some = heard([0.0, 1.0, 1.6])
    assert alignment.beat_f(heard(beats), some) == pytest.approx(2 * 2 / 12)
    assert alignment.beat_f_any_level(heard(beats), some) == pytest.approx(2 * 2 / 8)
    for empty in (heard(), heard(beats[:1])):
        assert alignment.beat_f_any_level(empty, heard()) == 0


def test_chroma_cosine_is_of_the_frames_where_both_are_voiced():
    """Cosines 1, 1 / sqrt 2 and 0; then rests in one, the other, both, and beyond."""
    low, loud = alignment.VOICED - 0.01, alignment.VOICED + 0.01
    context = loud * np.eye(12)[[0, 0, 0, 0, 0, 0, 0]]
    stem = 5.0 * np.stack(
        [np.eye(12)[0], C_AND_G, np.eye(12)[3], np.eye(12)[0], 0 * C_AND_G, C_AND_G]
    )
    stem[3] *= low / 5
    context[5] *= low / loud
    score = alignment.chroma_cosine(heard(chroma=context), heard(chroma=stem))
    assert score == pytest.approx((1 + 0.5**0.5 + 0) / 3, abs=1e-12)
    assert alignment.are_voiced(heard(chroma=context), heard(chroma=stem))


def test_a_stem_that_is_never_voiced_scores_nothing():
    context = heard(chroma=5 * np.eye(12))
    for stem in (
        heard(chroma=0 * np.eye(12)),
        heard(chroma=5 * np.eye(12), is_tonal=False),
        heard(),
    ):
        assert alignment.chroma_cosine(context, stem) == 0
        assert not alignment.are_voiced(context, stem)
        assert not alignment.are_voiced(stem, context)


def test_the_real_stem_and_its_context_say_whether_an_example_counts():
    beats = np.arange(8) * 0.5
    some, few, none = heard(beats), heard(beats[:3]), heard()
    half = heard(beats + 0.2 * (beats < 2))
    # the second has no rhythm to keep, the third none in its context
    population = Population(
        contexts=[some, some, few, some],
        real=[some, few, some, half],
        generated=[none, some, some, some],
        own_contexts=[some, some, few, some],
    )
    ids = list("abcd")
    group = np.array([1, 2, 0, 0])
    found = align(population, BEATS, group, ids, seed=0)
    assert found.counted == 2
    assert found.generated.value == pytest.approx((0 + 1) / 2)
    assert found.real.value == pytest.approx((1 + 0.5) / 2)
    assert found.ratio.value == pytest.approx(0.5 / 0.75)
    assert found.shuffled == pytest.approx((0.5 + 1) / 2)
    # without the last, in group 0, and without the first, in group 1
    np.testing.assert_array_equal(found.generated.groups, [0, 1])
    np.testing.assert_array_equal(found.generated.sizes, [1, 1])
    quiet = population._replace(real=[none] * 4)
    assert align(quiet, BEATS, np.arange(4), ids, seed=0) is None
    assert align(population, CHROMA, np.arange(4), ids, seed=0) is None


def test_a_generated_stem_is_held_against_its_own_context():
    early, late = heard(np.arange(8) * 0.5), heard(np.arange(8) * 0.5 + 0.2)
    population = Population([early] * 2, [early] * 2, [late] * 2, [late, early])
    found = align(population, BEATS, np.arange(2), ["a", "b"], seed=0)
    assert found.generated.value == pytest.approx((1 + 0) / 2)
    silent = population._replace(own_contexts=[late, heard()])
    assert align(silent, BEATS, np.arange(2), ["a", "b"], seed=0).counted == 1


def test_mean_and_ratio_have_the_jackknife_of_a_slow_twin():
    rng = np.random.default_rng(0)
    real, generated = rng.uniform(0.5, 1, 30), rng.uniform(0, 0.8, 30)
    group = assign_groups([f"{k}" for k in range(30)])
    found = summarise(real, generated, group)
    sizes = [sum(group == g) for g in range(20)]
    assert len(set(sizes)) == 2
    ratios, means = [], []
    for g in range(20):
        kept = [k for k in range(30) if group[k] != g]
        means.append(sum(generated[k] for k in kept) / len(kept))
        ratios.append(means[-1] / (sum(real[k] for k in kept) / len(kept)))
    ratio = from_leave_outs(generated.mean() / real.mean(), ratios, sizes)
    for name in ("value", "se", "corrected", "groups", "sizes"):
        np.testing.assert_allclose(
            getattr(found.ratio, name), getattr(ratio, name), rtol=1e-12
        )
    np.testing.assert_allclose(found.generated.groups, means, rtol=1e-12)
    # the delta method for a ratio of means
    residual = generated - ratio.value * real
    expected = residual.std(ddof=1) / 30**0.5 / real.mean()
    assert found.ratio.se == pytest.approx(expected, rel=0.25)


def test_a_mean_of_nothing_has_no_ratio():
    group = np.arange(4)
    assert summarise(np.zeros(4), np.ones(4), group).ratio is None
    assert summarise(np.array([1, 0, 0, 0]), np.ones(4), group).ratio is None
    assert summarise(np.ones(1), np.ones(1), group[:1]).ratio.value == 1


# As heard in synthetic clips


def write(folder, name, audio):
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.flac"
    soundfile.write(path, audio, synthetic.SAMPLE_RATE, "PCM_24")


def measured(root, system, cache, progress=lambda what, done, total: None):
    triples = clips.pair_folders(root / "real", root / system, root / "context")
    examples = [clips.probe(triple) for triple in triples]
    ids = [e.triple.id for e in examples]
    report = related.measure(
        examples,
        [log_mel(GUDGUD)],
        assign_groups(ids),
        ids,
        cache,
        progress=progress,
        seed=0,
    )
    json.dumps(report, allow_nan=False)
    return report


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """By system, and how many clips were listened to for each."""
    root, cache = (tmp_path_factory.mktemp(name) for name in ("clips", "cache"))
    made = [synthetic.make_clip(11, k) for k in range(N)]
    for k, clip in enumerate(made):
        write(root / "context", k, clip.context)
        write(root / "real", k, clip.melody)
        write(root / "late", k, synthetic.late(clip).melody)
        write(root / "up", k, synthetic.transposed(clip).melody)
        write(root / "others", k, made[(k + 1) % N].melody)
    listened, hear = [], alignment.hear
    found = {}

    def counting(audio):
        listened.append(len(audio))
        return hear(audio)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment, "hear", counting)
        for system in SYSTEMS:
            before = sum(listened)
            found[system] = measured(root, system, cache), sum(listened) - before
        lines = []
        again = measured(root, "late", cache, lambda *line: lines.append(line))
        assert again == found["late"][0] and sum(listened) == 4 * N
    assert lines[-1] == ("beats and chroma", 3 * N, 3 * N)
    return found


def value(reports, system, metric):
    return reports[system][0][metric]["value"]


def test_a_clip_is_listened_to_once(reports):
    assert [reports[system][1] for system in SYSTEMS] == [2 * N, N, N, 0]


def test_stems_keep_time_with_their_own_contexts_alone(reports):
    real = reports["real"][0]["beat_alignment"]
    assert real["counted"] == N and real["value"] > 0.9
    assert real["ratio"]["value"] == 1 and real["ratio"]["se"] == 0
    assert real["shuffled"] < 0.5
    for system in ("late", "others"):
        assert value(reports, system, "beat_alignment") < real["value"] / 2
    assert value(reports, "up", "beat_alignment") > 0.9
    any_level = real["any_level"]
    assert any_level["value"] > 0.95 and any_level["shuffled"] < 0.5
    late = reports["late"][0]["beat_alignment"]
    assert late["any_level"]["value"] < any_level["value"] / 2
    assert late["real"]["value"] == real["value"]
    assert late["ratio"]["value"] == pytest.approx(late["value"] / real["value"])


def test_stems_are_in_harmony_with_their_own_contexts_alone(reports):
    real = reports["real"][0]["chroma_cosine"]
    assert real["counted"] == N and real["value"] > 0.35
    for system in ("up", "others"):
        found = reports[system][0]["chroma_cosine"]
        assert found["value"] < 0.8 * real["value"]
        assert real["value"] - found["value"] > 3 * found["se"]
    assert value(reports, "late", "chroma_cosine") > 0.9 * real["value"]
    assert real["shuffled"] < 0.8 * real["value"]


def test_apa_has_an_entry_by_embedding(reports):
    fits, not_fits = (reports[s][0]["apa"]["logmel"] for s in ("late", "others"))
    assert fits["id"] == "APA[logmel;preset=gudgud;seed=0]" == not_fits["id"]
    assert fits["value"] > not_fits["value"] + 3 * np.hypot(fits["se"], not_fits["se"])
    assert len(fits["groups"]) == N == sum(fits["sizes"])


def test_one_example_that_counts_gives_a_value_without_an_error(tmp_path):
    clip = synthetic.make_clip(11, 0)
    for role, audio in (("real", clip.melody), ("context", clip.context)):
        for k in range(4):
            write(tmp_path / role, k, audio if k == 2 else 0 * audio)
    report = measured(tmp_path, "real", tmp_path / "cache")
    beats, chroma = report["beat_alignment"], report["chroma_cosine"]
    for entry in (beats, beats["any_level"], chroma):
        assert entry["counted"] == 1 and entry["value"] > 0.3
        assert entry["se"] is None and entry["corrected"] is None
        assert entry["ratio"]["value"] == 1 and entry["ratio"]["se"] is None
        assert entry["shuffled"] is None


def test_silence_has_no_values_but_reasons(tmp_path):
    for role in ("real", "generated", "context"):
        for k in range(4):
            write(tmp_path / role, k, np.zeros(synthetic.NUM_SAMPLES))
    report = measured(tmp_path, "generated", tmp_path / "cache")
    entries = report["apa"]["logmel"], report["beat_alignment"], report["chroma_cosine"]
    for entry in entries:
        assert entry["value"] is None and entry["status"] == "undefined"
        assert entry["reason"]
