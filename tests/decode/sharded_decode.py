"""Decodes on one and on four virtual CPU devices; prints one JSON line.  A program of
its own: the number of devices is fixed when jax starts."""

import json
import os

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from stub_networks import TableNetwork, inputs

from stemjax.config.decode import FAST
from stemjax.config.model import StemGenConfig, TransformerConfig
from stemjax.config.train import MeshConfig
from stemjax.decode import iterate
from stemjax.models import stemgen
from stemjax.nn.axes import make_mesh

CONFIG = StemGenConfig(
    num_codebooks=2,
    codebook_size=64,
    transformer=TransformerConfig(width=32, layers=1, heads=2, mlp_hidden=64),
)


def measure(devices):
    """Codes, FLOPs of a device and the gathers of the chunk's program."""
    mesh = make_mesh(MeshConfig(data=devices), jax.devices()[:devices])
    calls = []
    run_chunk = iterate._run_chunk

    def recorded(*args):
        calls.append(args)
        return run_chunk(*args)

    with jax.set_mesh(mesh):
        spread = NamedSharding(mesh, PartitionSpec("data"))
        network = TableNetwork(CONFIG.num_codebooks, CONFIG.codebook_size)
        rows = jax.device_put(inputs(network, 8, 24), spread)
        everywhere = NamedSharding(mesh, PartitionSpec())
        params = stemgen.init(jax.random.key(0), CONFIG)
        params["heads"]["kernel"] = 20 * params["heads"]["kernel"]
        params = jax.device_put(params, everywhere)
        iterate._run_chunk = recorded
        result = iterate.decode(params, CONFIG, FAST, *rows, branches_together=True)
        iterate._run_chunk = run_chunk
        compiled = run_chunk.lower(*calls[-1]).compile()
    gathers = [
        line.strip()[:200]
        for line in compiled.as_text().splitlines()
        if any(name in line for name in ("all-gather", "all-to-all", "permute("))
    ]
    return np.asarray(result.codes), compiled.cost_analysis()["flops"], gathers


codes_1, flops_1, _ = measure(1)
codes_4, flops_4, gathers = measure(4)
report = {
    "flops_one": flops_1,
    "flops_share": flops_4 / flops_1,
    "gathers": gathers,
    "equal": bool((codes_1 == codes_4).all()),
}
print(json.dumps(report))
