"""Run by test_stemgen_model.py: loss and gradients on 2 x 2 x 2 devices and on one."""

import jax

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)

import dataclasses  # noqa: E402

import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax.sharding import NamedSharding, PartitionSpec  # noqa: E402

from stemjax.config.codec import CodecConfig  # noqa: E402
from stemjax.config.model import StemGenConfig, TransformerConfig  # noqa: E402
from stemjax.config.presets import STEMGEN_TINY  # noqa: E402
from stemjax.config.train import MeshConfig  # noqa: E402
from stemjax.nn.axes import make_mesh  # noqa: E402
from stemjax.tasks import stemgen as tasks  # noqa: E402
from stemjax.train.sharding import param_shardings, unbox  # noqa: E402

CODEC = CodecConfig(num_codebooks=2, codebook_size=16)
RUN = dataclasses.replace(
    STEMGEN_TINY,
    model=StemGenConfig(
        num_codebooks=2,
        codebook_size=16,
        transformer=TransformerConfig(width=32, layers=1, heads=2, mlp_hidden=48),
    ),
)


def main():
    task = tasks.make(RUN, CODEC, batches_are_tokens=True)
    boxed, _ = task.init(jax.random.key(0))
    params = unbox(boxed)
    rng = np.random.default_rng(0)
    batch = {
        "context_codes": rng.integers(0, 16, (8, 2, 12)).astype(np.uint16),
        "target_codes": rng.integers(0, 16, (8, 2, 12)).astype(np.uint16),
        "instrument": rng.integers(0, 18, 8).astype(np.int32),
    }

    def step(params, batch):
        def loss(p):
            return task.loss(p, {}, {}, batch, jax.random.key(1))[0]

        return jax.value_and_grad(loss)(params)

    one = jax.device_get(jax.jit(step)(params, batch))
    mesh = make_mesh(MeshConfig(data=2, fsdp=2, tensor=2))
    with jax.set_mesh(mesh):
        shardings = param_shardings(boxed, mesh)
        split = shardings["backbone"]["layers_0"]["attention"]["qkv"].spec
        assert tuple(split) == ("fsdp", None, "tensor", None), split
        params = jax.device_put(params, shardings)
        place = NamedSharding(mesh, PartitionSpec(("data", "fsdp")))
        batch = {k: jax.device_put(jnp.asarray(v), place) for k, v in batch.items()}
        many = jax.jit(step, out_shardings=(None, shardings))(params, batch)
        many = jax.device_get(many)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(many), strict=True):
        # float32 sums over 96 tokens in another order
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    print("equal")


main()
