"""Real stems and silence in a model's place: who is paired with whom, and the scores."""

import itertools
from collections import Counter

import numpy as np
import pytest
import soundfile

from stemjax import codec
from stemjax.config.presets import CODEC_TINY
from stemjax.eval.metrics.score import score
from stemjax.eval.populations import anchors as body
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
            partners = body.misaligned(pairs)
            if max(Counter(songs).values()) * 2 > count:
                assert partners is None
            else:
                assert is_misaligned(pairs, partners), songs


def test_misaligned_of_many_and_of_poor_orders():
    rng = np.random.default_rng(0)
    for _ in range(20):
        songs = [f"s{k}" for k in rng.integers(rng.integers(3, 9), size=50)]
        pairs = stand_ins.pairs(songs)
        partners = body.misaligned(pairs)
        assert partners is None or is_misaligned(pairs, partners)
        assert not is_misaligned(pairs, list(range(50)))  # each its own
        assert not is_misaligned(pairs, [1] * 50)
        assert partners == body.misaligned(pairs)
    assert body.misaligned([]) == []


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The anchors of eight examples, written, and the examples of the split."""
    system = stand_ins.Echo()
    system.codec = codec.random(CODEC_TINY.model, 0)
    run = stand_ins.decoding_run(tmp_path_factory.mktemp("anchors"), SONGS, system)
    others = stand_ins.examples(("f", "g", "a", "b", "c", "h", "d", "k"), first=1)
    write_references(run.folder, run.examples, run.examples.pairs, RATE)
    counts = []
    body.write_anchors(run, others, progress=counts.append)
    assert sum(counts) == len(SONGS)
    return run, others


def triples(made, count=8):
    return {a.name: a.triples(count) for a in body.anchors(*made)}


def read(path):
    audio, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    return audio


def test_clips_of_each_anchor(made):
    run, others = made
    found = triples(made)
    assert list(found) == ["real split", "codec floor", "misaligned", "silent"]
    partners = body.misaligned(run.examples.pairs)
    for k, pair in enumerate(run.examples.pairs):
        context, real = audio_of(pair)
        for name, of_anchor in found.items():
            triple = of_anchor[k]
            assert triple.id == pair.id
            np.testing.assert_allclose(read(triple.real), real, atol=2**-23)
            np.testing.assert_allclose(read(triple.context), context, atol=2**-23)
            if name != "real split":
                assert triple.generated_context is None
        other_context, other = audio_of(others.pairs[k])
        split = found["real split"][k]
        np.testing.assert_allclose(read(split.generated), other, atol=2**-23)
        heard = read(split.generated_context)
        np.testing.assert_allclose(heard, other_context, atol=2**-23)
        wrong = audio_of(run.examples.pairs[partners[k]])[1]
        heard = read(found["misaligned"][k].generated)
        np.testing.assert_allclose(heard, wrong, atol=2**-23)
        assert not read(found["silent"][k].generated).any()
        assert len(read(found["silent"][k].generated)) == len(real)


def test_the_codec_floor_is_the_codec_s_round_trip(made):
    run, _ = made
    own = run.system.codec
    for pair, triple in zip(
        run.examples.pairs, triples(made)["codec floor"], strict=True
    ):
        _, real = audio_of(pair)
        assert len(real) % own.config.hop == 0
        wanted = np.asarray(own.decode(own.encode(real[None])))[0]
        heard = read(triple.generated)
        np.testing.assert_allclose(heard, np.clip(wanted, -1, 1), atol=2**-23)
        assert np.abs(heard - real).max() > 0.01
    odd = real[:-100]  # no whole number of frames
    assert body.through_codec(own, odd).shape == odd.shape


def test_what_was_left_to_do_does_not_show(made, tmp_path):
    """As after a stop: every other clip was there."""
    whole, others = made
    run = whole._replace(folder=tmp_path)
    pairs = run.examples.pairs
    half = run._replace(examples=run.examples._replace(pairs=pairs[::2]))
    body.write_anchors(half, others)
    body.write_anchors(run, others)
    for pair in pairs:
        a, b = (body.codec_path(made_by, pair) for made_by in (whole, run))
        assert a.read_bytes() == b.read_bytes()


def test_what_is_there_is_kept(made):
    run, others = made
    files = [p for p in (run.folder / "anchors").rglob("*") if p.is_file()]
    assert len(files) == 3 * len(SONGS) + 1
    before = {path: path.stat().st_mtime_ns for path in files}
    body.write_anchors(run, others)
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_fewer_examples_are_the_first(made):
    whole, few = triples(made), triples(made, 5)
    for name in ("real split", "codec floor", "silent"):
        assert few[name] == whole[name][:5]
    assert triples(made, 1)["misaligned"] is None
    # among the first five the partners are those of five, not strangers
    assert is_misaligned(
        made[0].examples.pairs[:5],
        body.misaligned(made[0].examples.pairs[:5]),
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


def test_misfit_is_heard_in_the_mix_alone(made, tmp_path):
    """Where the analysis hears stem and context together, other songs' stems are far."""
    from stemjax.analysis.analysis import Analyser
    from tests.eval.metrics.test_score import crossings

    def interval(audio):
        """The stem is an octave above its own context: 12 semitones, or a misfit."""
        power = np.abs(np.fft.rfft(audio)) ** 2
        loud = np.flatnonzero(power > 1e-3 * power.max())
        distance = round(12 * np.log2(loud[-1] / loud[0]))
        found = crossings(audio)
        return found._replace(
            key=distance % 12, notes=np.array([[0, 1, 60 + distance]])
        )

    analyser = Analyser("interval", {"v": 1}, lambda b: [interval(row) for row in b])
    settings = stand_ins.settings()._replace(analyser=analyser)
    found = {
        name: score(triples(made)[name], tmp_path, settings)["metrics"]["mirdd"]
        for name in ("real split", "misaligned")
    }
    assert found["misaligned"]["value"] > 5 * found["real split"]["value"]
    assert found["misaligned"]["value"] > found["misaligned"]["null"]["median"]


def test_the_split_s_stems_are_heard_in_their_own_contexts(made):
    (triple,) = triples(made, 1)["real split"]
    example = clips.probe(triple)
    assert clips.context_role(example, "generated") == "generated_context"
    assert clips.context_role(example, "real") == "context"
    assert example.keys["generated_context"] != example.keys["context"]
