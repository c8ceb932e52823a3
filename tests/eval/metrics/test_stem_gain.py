"""Context gain of stems: models that use or ignore the context, other stems."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from stemjax.config.model import StemGenConfig, TransformerConfig
from stemjax.eval.metrics.context_gain import encode_files, stem_gains
from stemjax.eval.metrics.jackknife import Estimate, jackknife
from stemjax.eval.populations.anchors import misaligned
from stemjax.io.audio_files.formats import write_flac
from tests.models.oracle import LOUD, listener, random_params

Q, V, T, HOP = 2, 8, 12, 100
CFG = StemGenConfig(
    num_codebooks=Q,
    codebook_size=V,
    transformer=TransformerConfig(width=32, layers=1, heads=2, mlp_hidden=16),
)
# a wrong code costs 4 x LOUD, see test_context_gain; a random one is wrong 7 in 8
EXPECTED = 4 * LOUD * 7 / 8


class Pair(NamedTuple):
    id: str
    song: str
    category: str
    seed: int


def pairs(count=9, per_song=1):
    return [Pair(f"{k:05d}", f"song {k // per_song}", "bass", k) for k in range(count)]


class Codec:
    """The level of a frame encodes its code."""

    config = SimpleNamespace(hop=HOP)

    def encode(self, audio):
        frames = np.asarray(audio).reshape(len(audio), -1, HOP).mean(axis=-1)
        return np.repeat(np.round(frames * 10).astype(np.int32)[:, None], Q, axis=1)


def model(params, trained_frames=T):
    return SimpleNamespace(
        config=CFG, params=params, codec=Codec(), trained_frames=trained_frames
    )


def codes(seed, count=9):
    return np.random.default_rng(seed).integers(0, V, (count, Q, T)).astype(np.int32)


def stem_gain(of, pairs, contexts, stems) -> Estimate:
    """Mean gain at the coarsest level over contexts of other songs, jackknifed by song."""
    others = contexts[misaligned(pairs)]
    gains = stem_gains(of, pairs, contexts, others, stems)[:, 0]
    _, group = np.unique([pair.song for pair in pairs], return_inverse=True)
    return jackknife(lambda is_kept: gains[is_kept].mean(), group)


def test_stems_that_copy_their_context_gain_and_shuffled_ones_lose():
    contexts = codes(0)
    of = model(listener(CFG))
    result = stem_gain(of, pairs(), contexts, contexts)
    assert result.value == pytest.approx(EXPECTED, rel=0.1)
    assert result.value > 20 * result.se > 0
    # the partner of `misaligned` is the next one: its stems lose what their own gain
    of_partner = np.roll(contexts, -1, axis=0)
    lost = stem_gain(of, pairs(), contexts, of_partner)
    assert lost.value == pytest.approx(-EXPECTED, rel=0.1)
    of_third = stem_gain(of, pairs(), contexts, np.roll(contexts, 3, axis=0))
    assert abs(of_third.value) < 0.15 * EXPECTED


def test_only_the_coarsest_level_counts():
    contexts = codes(0)
    stems = np.stack([contexts[:, 0], codes(1)[:, 1]], axis=1)
    of = model(listener(CFG))
    whole = stem_gain(of, pairs(), contexts, contexts)
    assert stem_gain(of, pairs(), contexts, stems).value == whole.value


def test_stems_that_do_not_depend_on_the_context_gain_nothing():
    gains = [
        stem_gain(model(random_params(CFG, s)), pairs(), codes(s), codes(90 + s))
        for s in range(6)
    ]
    assert sum(abs(g.value) < 2 * g.se for g in gains) >= 5
    assert max(abs(g.value) for g in gains) < 0.05 * EXPECTED
    deaf = listener(CFG)
    deaf["context_embed"]["embedding"] *= 0
    result = stem_gain(model(deaf), pairs(), codes(0), codes(0))
    assert result.value == result.se == 0.0


def test_the_error_is_a_jackknife_over_songs():
    """Two equal examples of each song: the error of half as many."""
    contexts = np.repeat(codes(0, 5), 2, axis=0)
    twice = stem_gain(model(listener(CFG)), pairs(10, 2), contexts, contexts)
    once = stem_gain(model(listener(CFG)), pairs(5), contexts[::2], contexts[::2])
    assert twice[:2] == pytest.approx(once[:2], rel=1e-6)


def test_windows_are_of_the_trained_length():
    """Five frames per window, the last two are dropped; windows are separate rows."""
    contexts = codes(0)
    of = model(listener(CFG), trained_frames=5)
    whole = stem_gain(of, pairs(), contexts, contexts)
    assert whole.value == pytest.approx(EXPECTED, rel=0.1)
    stems = contexts.copy()
    stems[..., 10:] = (stems[..., 10:] + 1) % V
    assert stem_gain(of, pairs(), contexts, stems).value == whole.value
    stems[..., 5:10] = (stems[..., 5:10] + 1) % V
    assert stem_gain(of, pairs(), contexts, stems).value < 0.6 * whole.value


def test_a_stem_gains_the_same_by_itself():
    contexts, stems = codes(0, 6), codes(1, 6)
    stems[:4] = contexts[:4]
    of, six = model(listener(CFG), trained_frames=5), pairs(6)
    others = contexts[misaligned(six)]
    together = stem_gains(of, six, contexts, others, stems)
    assert together.shape == (6, Q)
    for k in range(6):
        one = slice(k, k + 1)
        alone = stem_gains(of, six[one], contexts[one], others[one], stems[one])
        np.testing.assert_allclose(alone[0], together[k], rtol=1e-5, atol=1e-5)
    assert together[:4, 0].min() > together[4:, 0].max() + 1


def test_files_are_encoded_as_they_sound(tmp_path):
    contexts = codes(0, 2)
    contexts[:, 1] = contexts[:, 0]
    paths = [tmp_path / f"{k}.flac" for k in range(2)]
    for path, row in zip(paths, contexts[:, 0], strict=True):
        write_flac(path, np.repeat(row / 10, HOP).astype(np.float32), 32_000)
    np.testing.assert_array_equal(encode_files(Codec(), paths), contexts)
    write_flac(paths[0], np.full(150, 0.3, np.float32), 32_000)  # a frame and a half
    assert encode_files(Codec(), paths[:1])[0].shape == (Q, 2)
