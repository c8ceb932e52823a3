"""Anchors: pairs of other songs, codec round trips, silence, and their scores."""

import itertools
from collections import Counter

import numpy as np
import pytest
import soundfile

from stemjax import codec
from stemjax.config.presets import CODEC_TINY
from stemjax.eval.metrics.score import score
from stemjax.eval.populations import anchors as module
from stemjax.eval.populations import clips
from stemjax.eval.populations.generate import write_references
from tests.eval import stand_ins
from tests.eval.stand_ins import RATE, audio_of

SONGS = ("a", "b", "c", "a", "b", "d", "a", "e")


def is_misaligned(pairs, partners) -> bool:
    """Every example taken once, none by an example of its own song."""
    return sorted(partners) == list(range(len(pairs))) and all(
        pair.song != pairs[k].song for pair, k in zip(pairs, partners, strict=True)
    )


def test_misaligned_for_every_small_set_of_songs():
    """All ways to spread up to 6 examples over 4 songs: an order is found iff there is
    one, which is where no song has more than half of the examples."""
    for count in range(1, 7):
        for songs in itertools.product("abcd", repeat=count):
            pairs = stand_ins.pairs(songs)
            partners = module.misaligned(pairs)
            if max(Counter(songs).values()) * 2 > count:
                assert partners is None
            else:
                assert is_misaligned(pairs, partners), songs


def test_misaligned_of_many_and_of_poor_orders():
    rng = np.random.default_rng(0)
    for _ in range(20):
        songs = [f"s{k}" for k in rng.integers(rng.integers(3, 9), size=50)]
        pairs = stand_ins.pairs(songs)
        partners = module.misaligned(pairs)
        assert partners is None or is_misaligned(pairs, partners)
        assert not is_misaligned(pairs, list(range(50)))  # each its own
        assert not is_misaligned(pairs, [1] * 50)
        assert partners == module.misaligned(pairs)
    assert module.misaligned([]) == []


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The anchors of eight examples, written, and the examples of the split."""
    system = stand_ins.Echo()
    system.codec = codec.random(CODEC_TINY.model, 0)
    run = stand_ins.decoding_run(tmp_path_factory.mktemp("anchors"), SONGS, system)
    others = stand_ins.examples(("f", "g", "a", "b", "c", "h", "d", "k"), first=1)
    write_references(run.folder, run.examples, run.examples.pairs, RATE)
    counts = []
    module.write_anchors(run, others, progress=counts.append)
    assert sum(counts) == len(SONGS)
    return run, others


def triples(made, count=8):
    return {a.name: a.triples(count) for a in module.anchors(*made)}


def read(path):
    audio, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    return audio


@pytest.mark.slow
def test_clips_of_each_anchor(made):
    run, others = made
    result = triples(made)
    assert list(result) == ["real split", "codec floor", "misaligned", "silent"]
    partners = module.misaligned(run.examples.pairs)
    for k, pair in enumerate(run.examples.pairs):
        context, real = audio_of(pair)
        for name, of_anchor in result.items():
            triple = of_anchor[k]
            assert triple.id == pair.id
            np.testing.assert_allclose(read(triple.real), real, atol=2**-23)
            np.testing.assert_allclose(read(triple.context), context, atol=2**-23)
            if name != "real split":
                assert triple.generated_context is None
        other_context, other = audio_of(others.pairs[k])
        split = result["real split"][k]
        np.testing.assert_allclose(read(split.generated), other, atol=2**-23)
        samples = read(split.generated_context)
        np.testing.assert_allclose(samples, other_context, atol=2**-23)
        wrong = audio_of(run.examples.pairs[partners[k]])[1]
        samples = read(result["misaligned"][k].generated)
        np.testing.assert_allclose(samples, wrong, atol=2**-23)
        assert not read(result["silent"][k].generated).any()
        assert len(read(result["silent"][k].generated)) == len(real)


@pytest.mark.slow
def test_the_codec_floor_is_the_codec_s_round_trip(made):
    run, _ = made
    mine = run.system.codec
    for pair, triple in zip(
        run.examples.pairs, triples(made)["codec floor"], strict=True
    ):
        _, real = audio_of(pair)
        assert len(real) % mine.config.hop == 0
        wanted = np.asarray(mine.decode(mine.encode(real[None])))[0]
        samples = read(triple.generated)
        np.testing.assert_allclose(samples, np.clip(wanted, -1, 1), atol=2**-23)
        assert np.abs(samples - real).max() > 0.01
    odd = real[:-100]  # no whole number of frames
    assert module.through_codec(mine, odd).shape == odd.shape


def test_what_was_left_to_do_does_not_show(made, tmp_path):
    """As after a stop: every other clip was there."""
    whole, others = made
    run = whole._replace(folder=tmp_path)
    pairs = run.examples.pairs
    half = run._replace(examples=run.examples._replace(pairs=pairs[::2]))
    module.write_anchors(half, others)
    module.write_anchors(run, others)
    for pair in pairs:
        a, b = (module.codec_path(made_by, pair) for made_by in (whole, run))
        assert a.read_bytes() == b.read_bytes()


def test_what_is_there_is_kept(made):
    run, others = made
    files = [p for p in (run.folder / "anchors").rglob("*") if p.is_file()]
    assert len(files) == 3 * len(SONGS) + 1
    before = {path: path.stat().st_mtime_ns for path in files}
    module.write_anchors(run, others)
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_fewer_examples_are_the_first(made):
    whole, few = triples(made), triples(made, 5)
    for name in ("real split", "codec floor", "silent"):
        assert few[name] == whole[name][:5]
    assert triples(made, 1)["misaligned"] is None
    # among the first five the partners are those of five, not strangers
    assert is_misaligned(
        made[0].examples.pairs[:5],
        module.misaligned(made[0].examples.pairs[:5]),
    )
    assert {t.generated for t in few["misaligned"]} == {t.real for t in few["silent"]}


def test_scores_of_the_anchors(made, tmp_path):
    reports = {
        name: score(of_anchor, tmp_path, stand_ins.settings())
        for name, of_anchor in triples(made).items()
    }
    value = {
        name: {m: e["value"] for m, e in report["metrics"].items()}
        for name, report in reports.items()
    }
    assert {n: r["silent"]["generated"] for n, r in reports.items()} == {
        "real split": 0,
        "codec floor": 0,
        "misaligned": 0,
        "silent": len(SONGS),
    }
    # the stems of other songs are the same population of stems
    assert abs(value["misaligned"]["fd_logmel"]) < 1e-6 * value["silent"]["fd_logmel"]
    # the stem's pitch stays the loudest in the mix; without a stem an octave is missing
    assert value["silent"]["mirdd"] > 0 and value["real split"]["mirdd"] > 0
    assert value["silent"]["fd_logmel"] > 0 and value["codec floor"]["fd_logmel"] > 0


def test_misfit_shows_only_in_the_mix(made, tmp_path):
    """An analysis of the mix separates other songs' stems from the real ones."""
    from stemjax.analysis.records import Analyser
    from tests.eval.metrics.test_score import crossings

    def interval(audio):
        """The stem is an octave above its own context: 12 semitones, or a misfit."""
        power = np.abs(np.fft.rfft(audio)) ** 2
        loud = np.flatnonzero(power > 1e-3 * power.max())
        distance = round(12 * np.log2(loud[-1] / loud[0]))
        result = crossings(audio)
        return result._replace(
            key=distance % 12, notes=np.array([[0, 1, 60 + distance]])
        )

    analyser = Analyser("interval", {"v": 1}, lambda b: [interval(row) for row in b])
    settings = stand_ins.settings()._replace(analyser=analyser)
    result = {
        name: score(triples(made)[name], tmp_path, settings)["metrics"]["mirdd"]
        for name in ("real split", "misaligned")
    }
    assert result["misaligned"]["value"] > 5 * result["real split"]["value"]
    assert result["misaligned"]["value"] > result["misaligned"]["null"]["median"]


def test_stems_of_the_split_have_their_own_contexts(made):
    (triple,) = triples(made, 1)["real split"]
    example = clips.probe(triple)
    assert clips.context_role(example, "generated") == "generated_context"
    assert clips.context_role(example, "real") == "context"
    assert example.keys["generated_context"] != example.keys["context"]
