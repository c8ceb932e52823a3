"""APA: closed forms, a slow twin of its jackknife, derangements, mixes and their cache."""

import numpy as np
import pytest
import soundfile

from stemjax.eval.metrics.apa import Pair, apa, derangement, measure, mix_vectors
from stemjax.eval.metrics.embeddings import log_mel
from stemjax.eval.metrics.frechet import frechet
from stemjax.eval.metrics.jackknife import assign_groups
from stemjax.eval.metrics.vggish.features import GUDGUD
from stemjax.eval.populations import clips
from stemjax.io.errors import UserError

RATE = 16_000
C, P, D = 40, 12, 3
IDS = [f"{k:03d}" for k in range(C)]
GROUP = assign_groups(IDS)
SHIFT = np.array([2.0, -1.0, 0.5])


def gaussian_clips(seed, mean=0.0):
    rng = np.random.default_rng(seed)
    return [mean + rng.normal(size=(P, D)) for _ in range(C)]


def shifted(vectors, offset):
    return [x + offset for x in vectors]


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_a_shift_towards_the_mispaired_lowers_apa_by_its_share(share):
    """Equal covariances: FD is |offset|^2, so 1/2 + ((1 - s)^2 - s^2) / 2 = 1 - s."""
    real = gaussian_clips(0)
    found = apa(real, shifted(real, SHIFT), shifted(real, share * SHIFT), GROUP, IDS)
    assert found.estimate.value == pytest.approx(1 - share, abs=1e-9)
    assert found.estimate.se == pytest.approx(0, abs=1e-9)
    squared = SHIFT @ SHIFT
    distances = (1 - share) ** 2 * squared, share**2 * squared, squared
    assert found[2:] == pytest.approx(distances, abs=1e-9)


def test_apa_is_clipped_but_its_error_stays_to_be_seen():
    real = gaussian_clips(0)
    beyond = shifted(gaussian_clips(1), -0.5 * SHIFT)
    found = apa(real, shifted(real, SHIFT), beyond, GROUP, IDS)
    assert (found.estimate.value, found.estimate.se) == (1, 0)
    assert found.unclipped.value == pytest.approx(1.5, abs=0.1)
    assert found.unclipped.se > 0.005


def test_what_is_far_from_both_is_called_remote():
    """A shift square to that of R' is as near to R as to R' but for FD(R, R')."""
    real = gaussian_clips(0)
    away = np.cross(SHIFT, [0, 0, 1])
    for steps in (0.1, 10.0):
        offset = steps * away / np.linalg.norm(away)
        found = apa(real, shifted(real, SHIFT), shifted(real, offset), GROUP, IDS)
        assert found.estimate.value == pytest.approx(1, abs=1e-6)
        assert found.remoteness == pytest.approx(steps**2 / (SHIFT @ SHIFT), rel=1e-6)


def test_independent_samples_half_way_give_a_half_within_the_error():
    real, mispaired = gaussian_clips(0), gaussian_clips(1, SHIFT)
    found = apa(real, mispaired, gaussian_clips(2, SHIFT / 2), GROUP, IDS).estimate
    assert 0.005 < found.se < 0.05
    assert abs(found.value - 0.5) < 3 * found.se


def test_the_jackknife_drops_a_context_from_all_three():
    real, mispaired, generated = (gaussian_clips(k, k * SHIFT / 2) for k in range(3))

    def slow(kept):
        a, b, c = (
            np.concatenate([x for x, k in zip(xs, kept, strict=True) if k])
            for xs in (real, mispaired, generated)
        )
        return 0.5 + (frechet(c, b).value - frechet(c, a).value) / (
            2 * frechet(a, b).value
        )

    found = apa(real, mispaired, generated, GROUP, IDS)
    without = [slow(GROUP != g) for g in np.unique(GROUP)]
    np.testing.assert_allclose(found.unclipped.groups, without, rtol=1e-8)
    np.testing.assert_allclose(found.estimate.groups, np.clip(without, 0, 1), rtol=1e-8)
    np.testing.assert_array_equal(found.estimate.sizes, np.bincount(GROUP))


def test_without_a_difference_to_measure_apa_is_undefined():
    real = gaussian_clips(0)
    found = apa(real, real[::-1], gaussian_clips(1), GROUP, IDS)
    assert found.estimate is None and found.unclipped is None
    assert found.remoteness is None
    assert found.real_mispaired == pytest.approx(0, abs=1e-6)
    assert found.generated_real > 0


@pytest.mark.parametrize("n", [2, 3, 24])
def test_a_derangement_moves_every_stem(n):
    ids = [f"{k:02d}" for k in range(n)]
    orders = {tuple(derangement(ids, seed=seed)) for seed in range(40)}
    for order in orders:
        assert sorted(order) == list(range(n))
        assert (np.array(order) != np.arange(n)).all()
    # all of the 1 and the 2 that there are; of many, hardly one twice
    assert len(orders) == {2: 1, 3: 2, 24: 40}[n]
    again = derangement(ids, seed=7)
    np.testing.assert_array_equal(again, derangement(ids, seed=7))
    # by id, in whatever order the ids come
    shuffled = np.random.default_rng(0).permutation(n)
    moved = derangement([ids[k] for k in shuffled], seed=7)
    assert {ids[k]: ids[j] for k, j in enumerate(again)} == {
        ids[k]: ids[shuffled[j]] for k, j in zip(shuffled, moved, strict=True)
    }


def test_one_example_cannot_be_mispaired():
    with pytest.raises(UserError, match="1 example"):
        derangement(["only"], seed=0)


# Audio: contexts of one register each, real stems in their context's register.

N = 16


def band(rng, low, seconds=2.0):
    """Noise of one octave from `low` Hz, its RMS 0.1."""
    size = round(seconds * RATE)
    spectrum = np.fft.rfft(rng.normal(size=size))
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    audio = np.fft.irfft(spectrum * ((hertz > low) & (hertz < 2 * low)), size)
    return 0.1 * audio / np.sqrt(np.mean(audio**2))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """`fitting` are other takes in the context's register, `others` those of others."""
    folder = tmp_path_factory.mktemp("apa")
    rng = np.random.default_rng(0)
    registers = [(300, 600, 1200, 2400)[k % 4] for k in range(N)]
    for k, low in enumerate(registers):
        files = {
            "context": band(rng, low),
            "real": band(rng, low),
            "fitting": band(rng, low),
            "others": band(rng, registers[(k + 1) % N]),
        }
        for role, audio in files.items():
            (folder / role).mkdir(exist_ok=True)
            soundfile.write(folder / role / f"{k:03d}.wav", audio, RATE, "FLOAT")
    return folder


def examples_of(root, generated):
    triples = clips.pair_folders(root / "real", root / generated, root / "context")
    return [clips.probe(triple) for triple in triples]


def counting(counts):
    """FD-logmel's embedding, which notes the length of each clip it is given."""
    embedding = log_mel(GUDGUD)

    def embed(audio):
        counts.append(len(audio))
        return embedding.embed(audio)

    return embedding._replace(embed=embed)


def test_fitting_stems_adhere_and_those_of_others_do_not(root, tmp_path):
    values, counts = {}, []
    for name in ("fitting", "others"):
        examples = examples_of(root, name)
        ids = [e.triple.id for e in examples]
        group = assign_groups(ids)
        came = []
        values[name] = measure(
            examples,
            counting(counts),
            group,
            ids,
            tmp_path,
            seed=0,
            progress=came.append,
        )
        assert sum(came) == 3 * N
    # the second system embeds its own mixes alone
    assert counts == [2 * RATE] * (4 * N)
    fitting, others = values["fitting"].estimate, values["others"].estimate
    assert fitting.value > 0.9 and others.value < 0.3
    assert fitting.value - others.value > 3 * np.hypot(fitting.se, others.se)
    assert values["fitting"].real_mispaired == values["others"].real_mispaired


def test_mixes_are_those_of_the_pair_cut_to_the_shorter(root, tmp_path):
    examples = examples_of(root, "fitting")
    short = examples[1]._replace(seconds=1.5)
    pair = Pair(examples[0], short, "real")
    assert pair.seconds == 1.5
    seen = []
    embedding = log_mel(GUDGUD)._replace(
        embed=lambda audio: seen.append(audio) or np.zeros((1, 2), np.float32)
    )
    mix_vectors([pair], embedding, tmp_path)
    context = clips.load(examples[0], "context")[: len(seen[0])]
    np.testing.assert_array_equal(seen[0], context + clips.load(short, "real"))
    assert len(seen[0]) == round(1.5 * RATE)
    # neither the other way round, nor longer, nor generated is the same mix
    keys = {
        pair.key,
        Pair(short, examples[0], "real").key,
        Pair(examples[0], examples[1], "real").key,
        Pair(examples[0], short, "generated").key,
    }
    assert len(keys) == 4


def test_a_generated_stem_is_mixed_with_its_own_context(root):
    example = examples_of(root, "fitting")[0]
    example = example._replace(keys=example.keys | {"generated_context": "other"})
    assert Pair(example, example, "real").context_role == "context"
    assert Pair(example, example, "generated").context_role == "generated_context"
    assert Pair(example, example, "generated").key == clips.joined_key(
        ["other", example.keys["generated"], f"{example.seconds}"]
    )
