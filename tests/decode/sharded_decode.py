"""Decodes on one and on four virtual CPU devices; prints one JSON line.  A program of
its own: the number of devices is fixed when jax starts."""

import json
import os

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_NUM_CPU_DEVICES"] = "4"

import jax
import numpy as np

from stemjax import codec
from stemjax.config.decode import FAST
from stemjax.config.model import StemGenConfig, TransformerConfig
from stemjax.config.presets import CODEC_TINY
from stemjax.decode import iterate
from stemjax.decode.devices import decode_shared, row_by_row, spread
from stemjax.decode.network import StemGenNetwork
from stemjax.eval.metrics import context_gain
from stemjax.models import stemgen
from tests.decode.stub_networks import TableNetwork, inputs

CONFIG = StemGenConfig(
    num_codebooks=2,
    codebook_size=64,
    transformer=TransformerConfig(width=32, layers=1, heads=2, mlp_hidden=64),
)


ROWS, FRAMES = 7, 24  # four devices do not divide seven rows


def measure(count):
    """Codes, audio of some, FLOPs of a device and the gathers of the chunk's program."""
    calls = []
    run_chunk = iterate._run_chunk

    def recorded(*args):
        calls.append((args, jax.sharding.get_mesh()))
        return run_chunk(*args)

    network = TableNetwork(CONFIG.num_codebooks, CONFIG.codebook_size)
    context, conditions, keys = inputs(network, ROWS, FRAMES)
    params = stemgen.init(jax.random.key(0), CONFIG)
    params["heads"]["kernel"] = 20 * params["heads"]["kernel"]
    small = codec.random(CODEC_TINY.model, seed=0)
    devices = spread(params, small, jax.devices()[:count])
    iterate._run_chunk = recorded
    result = decode_shared(
        devices,
        StemGenNetwork(CONFIG),
        FAST,
        context,
        conditions,
        keys,
        num_frames=FRAMES,
        window_frames=FRAMES,
    )
    iterate._run_chunk = run_chunk
    args, mesh = calls[-1]
    with jax.set_mesh(mesh):
        compiled = run_chunk.lower(*args).compile()
    gathers = [
        line.strip()[:200]
        for line in compiled.as_text().splitlines()
        if any(name in line for name in ("all-gather", "all-to-all", "permute("))
    ]
    audio = row_by_row(devices, codec.Codec.decode, result.codes % 16)
    flops = compiled.cost_analysis()["flops"]
    assert len(result.codes) == len(audio) == ROWS
    return np.asarray(result.codes), audio, flops, gathers


def gains(count):
    """Context gain of 8 random pairs on some devices."""
    rng = np.random.default_rng(0)
    shape = (8, CONFIG.num_codebooks, FRAMES)
    names = ("context_codes", "other_context_codes", "target_codes")
    batch = {name: rng.integers(0, 64, shape) for name in names}
    batch |= {
        "instrument": np.arange(8, dtype=np.int32),
        "row": np.arange(8, dtype=np.int32),
        "song": np.arange(8),
        "is_valid": np.ones(8, bool),
    }
    params = stemgen.init(jax.random.key(0), CONFIG)
    params["heads"]["kernel"] = 20 * params["heads"]["kernel"]
    found = context_gain.measure(
        params, CONFIG, [batch], ratios=(0.5,), devices=jax.devices()[:count]
    )
    return [[level[k] for k in ("gain_nats", "own_nats")] for level in found.values()]


codes_1, audio_1, flops_1, _ = measure(1)
codes_4, audio_4, flops_4, gathers = measure(4)
report = {
    "flops_one": flops_1,
    "flops_share": flops_4 / flops_1,
    "gathers": gathers,
    "equal": bool((codes_1 == codes_4).all()),
    "same_audio": bool((audio_1 == audio_4).all()),
    "gains": [gains(1), gains(4)],
    "different_rows": len({row.tobytes() for row in audio_1}),
}
print(json.dumps(report))
