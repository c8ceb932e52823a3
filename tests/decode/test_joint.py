"""Both streams at once: the loop against a slow twin, and the real network's halves."""

import dataclasses

import jax
import numpy as np
import pytest

from stemjax.config.decode import BEST, FAST, DecodeConfig, Guidance
from stemjax.config.model import StemGenConfig, TransformerConfig
from stemjax.config.train import MeshConfig
from stemjax.decode.devices import Devices
from stemjax.decode.iterate import decode
from stemjax.decode.joint import CONTEXT_KEY, decode_joint, joint_settings
from stemjax.decode.keep import Kept
from stemjax.decode.network import JointNetwork, StemGenNetwork
from stemjax.models import stemgen
from stemjax.nn.axes import make_mesh
from tests.decode.slow_decoder import slow_joint
from tests.decode.stub_networks import JointTableNetwork, keys_of
from tests.models.oracle import random_params

TABLE = JointTableNetwork(num_codebooks=2, codebook_size=6)
PARAMS = TABLE.init(0)
FRAMES = 14
CONFIG = DecodeConfig(steps=(5, 9), scales=(9.0, 2.0))
CFG = StemGenConfig(
    num_codebooks=2,
    codebook_size=6,
    joint=True,
    transformer=TransformerConfig(width=16, layers=1, heads=2, mlp_hidden=16),
)


class Framed(JointTableNetwork):
    """With the frame rate that overlaps of windows are computed from."""

    cfg = CFG


@pytest.mark.parametrize(
    ("guidance", "keeps_prefix"),
    [(Guidance.MULTI, False), (Guidance.NONE, True), (Guidance.SINGLE, False)],
)
def test_two_streams_equal_the_slow_decoder(guidance, keeps_prefix):
    """The first pair from nothing, the second around a part of each stream."""
    network = Framed(2, 6, keeps_prefix)
    config = dataclasses.replace(CONFIG, guidance=guidance)
    rng = np.random.default_rng(1)
    given = rng.integers(0, 6, (2, 2, 2, FRAMES))  # stream, example, level, frame
    is_kept = rng.random(given.shape) < 0.2
    is_kept[1, :, :, :4] = True
    is_kept[:, 0] = False
    instrument, keys = np.array([1, 3], np.int32), keys_of(5, 6)
    devices = Devices(make_mesh(MeshConfig(), jax.devices()[:1]), PARAMS, ())
    result = decode_joint(
        devices,
        network,
        config,
        {"instrument": instrument},
        keys,
        num_frames=FRAMES,
        window_frames=FRAMES,
        stem=Kept(given[0], is_kept[0]),
        context=Kept(given[1], is_kept[1]),
    )
    for b in range(2):
        pair = (keys[b], jax.random.fold_in(keys[b], CONTEXT_KEY))
        codes, orders = slow_joint(
            PARAMS,
            config,
            instrument[b],
            pair,
            given[:, b],
            is_kept[:, b],
            keeps_prefix,
        )
        for s, stream in enumerate((result.stem, result.context)):
            np.testing.assert_array_equal(stream.order[b], orders[s])
            np.testing.assert_array_equal(stream.codes[b], codes[s])


def test_the_scale_of_the_context_is_left_out():
    config = dataclasses.replace(BEST, scales=(4.0, 2.0, 3.0))
    assert joint_settings(config, 2).scales == (2.0, 3.0)
    single = dataclasses.replace(config, guidance=Guidance.SINGLE)
    assert joint_settings(single, 2).scales == (4.0, 2.0)  # the first is used
    none = joint_settings(dataclasses.replace(config, scales=(4.0,)), 0)
    assert (none.guidance, none.scales) == (Guidance.NONE, ())


@pytest.mark.slow
def test_halves_of_the_rows_are_the_two_streams_of_the_network():
    params, network = random_params(CFG), JointNetwork(CFG)
    rng = np.random.default_rng(0)
    stems, contexts = rng.integers(0, 7, (2, 3, 2, 8))
    instrument, is_dropped = np.array([1, 4, 9] * 2), np.array([[False], [True]] * 3)
    lengths = np.array([8, 8, 5] * 2)
    embedded = network.embed(
        params, None, {"instrument": instrument}, is_dropped, lengths
    )
    logits = network.logits(params, embedded, np.concatenate([stems, contexts]), 1)
    want = stemgen.apply_joint(
        params,
        CFG,
        context=stemgen.embed_context(params, CFG, contexts),
        target_codes=stems,
        condition=stemgen.embed_conditions(
            params, CFG, {"instrument": instrument[:3]}, is_dropped[:3]
        ),
        level=1,
        lengths=lengths[:3],
    )
    np.testing.assert_array_equal(logits, np.concatenate(want))


def test_a_given_context_hides_its_finer_levels_from_a_joint_model_alone():
    rng = np.random.default_rng(2)
    context = rng.integers(0, 6, (2, 2, 12))
    other = context.copy()
    other[:, 1] = (other[:, 1] + 1) % 6  # the finer of two levels
    conditions, keys = {"instrument": np.zeros(2, np.int32)}, keys_of(0, 1)

    def coarse_codes(cfg, context):
        params = random_params(cfg)
        params["heads"]["kernel"] *= 20
        config = dataclasses.replace(FAST, steps=(4, 2), guidance=Guidance.NONE)
        result = decode(StemGenNetwork(cfg), params, config, context, conditions, keys)
        return np.asarray(result.codes[:, 0])

    np.testing.assert_array_equal(coarse_codes(CFG, context), coarse_codes(CFG, other))
    heard = dataclasses.replace(CFG, joint=False)
    assert (coarse_codes(heard, context) != coarse_codes(heard, other)).any()
