"""Places between mismatched and real stems: known stems, slow twins, missing values."""

import numpy as np
import pytest
from scipy import stats

from stemjax.eval.metrics.alignment import BEATS, CHROMA, BeatsAndChroma
from stemjax.eval.reports import listening_report
from stemjax.eval.studies import listening
from stemjax.eval.studies.listening import (
    CODEC,
    MISMATCHED,
    NEARER_MISMATCHED,
    NEARER_REAL,
    NO_PLACE,
    PLACED,
    REAL,
    SILENCE,
    UNCLEAR,
    Measure,
)

P = 24
SONGS = [f"song {k // 2}" for k in range(P)]
CATEGORIES = ["bass", "drums", "piano"] * (P // 3)


def values(generated, seed=0, gap=0.4):
    """Rows in which real stems fit `gap` better than mismatched ones; drums have no
    chroma.  generated: (mismatched, real, rng) -> [P] of each measure of fit."""
    rng = np.random.default_rng(seed)
    rows = {name: {} for name in ("generated", REAL, MISMATCHED, CODEC, SILENCE)}
    is_drums = np.array(CATEGORIES) == "drums"
    for measure in Measure:
        zero = rng.uniform(0.1, 0.3, P)
        one = zero + gap + rng.normal(0, 0.05, P)
        if measure is Measure.INSTRUMENT:
            zero = one = (np.arange(P) % 4 > 0).astype(float)
        own = generated(zero, one, rng)
        for name, found in (
            (REAL, one),
            (MISMATCHED, zero),
            ("generated", own),
            (CODEC, one - 0.01),
            (SILENCE, np.full(P, np.nan)),
        ):
            found = found.copy()
            if measure is Measure.SILENT:
                found = np.full(P, float(name == SILENCE))
            if measure is Measure.CHROMA:
                found[is_drums] = np.nan
            rows[name][measure] = found
    return rows


def summary(rows):
    return listening.summarise(rows, SONGS, CATEGORIES)


@pytest.mark.parametrize(
    "answer, expected, says",
    [
        (lambda zero, one, rng: one, 1.0, NEARER_REAL),
        (lambda zero, one, rng: zero, 0.0, NEARER_MISMATCHED),
    ],
)
def test_real_stems_have_place_one_and_mismatched_ones_place_nought(
    answer, expected, says
):
    found = summary(values(answer))["rows"]["generated"]["place"]
    assert set(found) == {m.value for m in PLACED}
    for entry in found.values():
        for field in ("value", "low", "high"):
            assert entry[field] == pytest.approx(expected, abs=1e-12)
        assert entry["verdict"] == says


def test_a_stem_half_way_is_neither():
    half = values(lambda zero, one, rng: (zero + one) / 2 + rng.normal(0, 0.05, P))
    entry = summary(half)["rows"]["generated"]["place"][Measure.GAIN.value]
    assert entry["low"] < 0.5 < entry["high"] and entry["verdict"] == UNCLEAR


def test_the_place_s_interval_is_that_of_a_slow_twin():
    """Songs of two examples each, left out one by one; t with eleven degrees."""
    rows = values(
        lambda zero, one, rng: zero + 0.7 * (one - zero) + rng.normal(0, 0.1, P)
    )
    entry = summary(rows)["rows"]["generated"]["place"][Measure.ANY_LEVEL.value]
    own, zero, one = (
        rows[name][Measure.ANY_LEVEL] for name in ("generated", MISMATCHED, REAL)
    )

    def ratio(kept):
        a, b, c = (np.mean([x[k] for k in kept]) for x in (own, zero, one))
        return (a - b) / (c - b)

    without = [
        ratio([k for k in range(P) if SONGS[k] != song]) for song in sorted(set(SONGS))
    ]
    G = len(without)
    error = ((G - 1) / G * sum((x - np.mean(without)) ** 2 for x in without)) ** 0.5
    half = stats.t.ppf(0.975, G - 1) * error
    assert entry["value"] == pytest.approx(ratio(range(P)), rel=1e-12)
    assert entry["high"] - entry["low"] == pytest.approx(2 * half, rel=1e-6)
    assert entry["verdict"] == (NEARER_REAL if entry["low"] > 0.5 else UNCLEAR)


def test_where_real_and_mismatched_are_alike_there_is_no_place():
    rng = np.random.default_rng(3)
    rows = values(lambda zero, one, rng: one, gap=0.0)
    rows[REAL] = {m: v + rng.normal(0, 0.2, P) for m, v in rows[REAL].items()}
    for entry in summary(rows)["rows"]["generated"]["place"].values():
        assert entry["value"] is None and entry["verdict"] == NO_PLACE


def test_silence_has_no_value_and_drums_have_no_chroma():
    found = summary(values(lambda zero, one, rng: one))
    of_silence = found["rows"][SILENCE]["measures"]
    assert of_silence[Measure.SILENT.value]["value"] == 1
    for name, entry in of_silence.items():
        assert entry["value"] is None or name == Measure.SILENT.value
    of_real = found["rows"][REAL]["measures"]
    assert of_real[Measure.CHROMA.value]["counted"] == P * 2 // 3
    assert of_real[Measure.BEATS.value]["counted"] == P
    by_category = found["by_category"]
    drums = by_category["drums"]["rows"]
    assert all(row[Measure.CHROMA.value] is None for row in drums.values())
    assert drums[REAL][Measure.BEATS.value] > 0
    assert {k: v["n"] for k, v in by_category.items()} == dict.fromkeys(
        ("bass", "drums", "piano"), P // 3
    )
    page = listening_report.page(found, "A title", ["about"])
    silence = next(line for line in page.splitlines() if line.startswith("| silence"))
    assert silence == "| silence |" + len(listening.SCORES) * " n/a |"
    drums = next(line for line in page.splitlines() if line.startswith("| drums"))
    assert drums.count("n/a") == 1
    assert f"- generated, chroma cosine: {NEARER_REAL}" in page


def test_places_are_given_with_and_without_silent_stems():
    """A third of the stems are silent and score 0, below the mismatched ones; the rest
    are as good as real ones."""
    rows = values(lambda zero, one, rng: one)
    is_silent = np.arange(P) % 3 == 0
    for measure in PLACED:
        rows["generated"][measure][is_silent] = 0
    rows["generated"][Measure.SILENT][is_silent] = 1
    row = summary(rows)["rows"]["generated"]
    assert row["sounding"] == P - P // 3
    for measure in PLACED:
        name = measure.value
        assert row["place"][name]["value"] < 0.7
        assert row["place_if_sounding"][name]["value"] == pytest.approx(1, abs=1e-12)
    page = listening_report.page(summary(rows), "A title", [])
    assert f"| generated, {P - P // 3} that sound | 1.00 (1.00 to 1.00) |" in page


def test_a_trait_counts_where_the_row_s_own_stem_has_one():
    rows = values(lambda zero, one, rng: one)
    rows["generated"][Measure.DRONE] = np.where(np.arange(P) % 2, 1.0, np.nan)
    rows[REAL][Measure.DRONE][:] = np.nan
    entry = summary(rows)["rows"]["generated"]["measures"][Measure.DRONE.value]
    assert entry["counted"] == P // 2 and entry["value"] == 1


def test_means_by_group_of_songs():
    rows = values(lambda zero, one, rng: one)
    groups = ["composed" if k < 10 else "others" for k in range(P)]
    found = listening.summarise(rows, SONGS, CATEGORIES, groups)["by_group"]
    assert {k: v["n"] for k, v in found.items()} == {"composed": 10, "others": P - 10}
    mean = rows[REAL][Measure.GROOVE][:10].mean()
    assert found["composed"]["rows"][REAL]["groove"] == pytest.approx(mean)
    page = listening_report.page(
        listening.summarise(rows, SONGS, CATEGORIES, groups), "A title", []
    )
    assert "## By group of songs" in page and "| composed | 10 |" in page


def test_an_example_counts_where_real_and_mismatched_both_have_a_value():
    rows = values(lambda zero, one, rng: one)
    rows[MISMATCHED][Measure.BEATS][0] = np.nan
    rows[REAL][Measure.BEATS][1] = np.nan
    mask = listening.counted(rows, "generated", Measure.BEATS)
    assert not mask[:2].any() and mask[2:].all()
    entry = summary(rows)["rows"]["generated"]["measures"][Measure.BEATS.value]
    assert entry["counted"] == P - 2
    assert entry["value"] == pytest.approx(rows["generated"][Measure.BEATS][2:].mean())


def test_the_fit_is_asked_where_the_real_stem_can_be_judged():
    beats = np.arange(8) * 0.5
    voiced = np.full((4, 12), 3.0)
    some, none = (
        BeatsAndChroma(beats, voiced, True),
        BeatsAndChroma(beats[:0], 0 * voiced, False),
    )
    for fit in (BEATS, CHROMA):
        found = listening.fit_values(
            fit, [some, some, none, some], [some, some, some, none], [some, none] * 2
        )
        np.testing.assert_allclose(found, [1, 0, np.nan, np.nan])


def test_other_contexts_are_of_a_third_song():
    songs, partners = list("aabbcc"), list("bcaacb")
    for seed in range(20):
        found = listening.other_contexts(songs, partners, seed=seed)
        for own, partner, other in zip(songs, partners, found, strict=True):
            assert songs[other] not in (own, partner)
        assert found == listening.other_contexts(songs, partners, seed=seed)
    assert (
        len(
            {tuple(listening.other_contexts(songs, partners, seed=s)) for s in range(9)}
        )
        > 1
    )
    assert listening.other_contexts(list("aabb"), list("bbaa"), seed=0) is None


def test_a_csv_line_for_each_row_and_example():
    rows = values(lambda zero, one, rng: one)
    ids = [f"{k:05d}" for k in range(P)]
    lines = listening_report.csv(rows, ids, SONGS, CATEGORIES).splitlines()
    assert len(lines) == 1 + P * len(rows)
    first = rows["generated"][Measure.BEATS][0]
    assert lines[1].startswith(f"00000,song 0,bass,generated,{first:.6g},")
    empty = {m: "" for m in Measure} | {Measure.SILENT: "1"}
    assert lines[-1] == ",".join(
        [ids[-1], SONGS[-1], "piano", SILENCE, *empty.values()]
    )


def test_the_picture_is_drawn(tmp_path):
    path = tmp_path / "listening.png"
    listening_report.save_picture(path, summary(values(lambda z, o, r: o)), "A title")
    assert path.stat().st_size > 10_000
