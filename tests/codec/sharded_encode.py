"""Script of test_sharded_encode, run on four virtual devices; prints results as JSON."""

import json

import jax
import numpy as np

from stemjax.codec import codec, functional, long_audio
from stemjax.config.presets import CODEC_TINY
from stemjax.config.train import MeshConfig
from stemjax.nn.axes import make_mesh

ROWS, DEVICES = 8, 4
SPREAD = 0.05


def variables(cfg):
    """Random weights, and codebooks with the spread of their latents of noise."""
    params, _ = jax.jit(functional.init, static_argnums=1)(jax.random.key(0), cfg)
    shape = (cfg.num_codebooks, cfg.codebook_size, cfg.hidden_size)
    books = SPREAD * np.random.default_rng(1).normal(size=shape).astype(np.float32)
    return {
        "params": params,
        "codebooks": functional.codebook_tree(books, is_inited=True),
    }


def main():
    cfg = CODEC_TINY.model
    alone = codec.Codec(cfg, variables(cfg), "random", "")
    by_rows = alone.on(make_mesh(MeshConfig(data=4)))
    rng = np.random.default_rng(0)
    results = {"devices": jax.device_count(), "equal": [], "codes": []}
    # a bucket of one second, and windows: 9 s are longer than a chunk
    for seconds in (0.9, 9.0):
        audio = rng.normal(size=(ROWS, round(seconds * 32_000))).astype(np.float32)
        expected = alone.encode(0.1 * audio)
        results["codes"].append(len(np.unique(expected)))
        results["equal"].append(bool((by_rows.encode(0.1 * audio) == expected).all()))
    chunks = [long_audio.chunk_frames(cfg, rows) for rows in (ROWS, ROWS // DEVICES)]
    results["chunks"] = chunks
    placed = jax.device_put(audio[:, :6_400], by_rows.rows)
    compiled = (
        jax.jit(functional.encode, static_argnums=1)
        .lower(by_rows.variables, cfg, placed, None)
        .compile()
    )
    results["gathers"] = compiled.as_text().count("all-gather")
    (codes,) = jax.tree.leaves(compiled.output_shardings)
    results["rows_of_one"] = codes.shard_shape((ROWS, 2, 10))[0]
    print(json.dumps(results))


if __name__ == "__main__":
    main()
