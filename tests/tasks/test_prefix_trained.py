"""A model that was trained to continue a prefix, on stems whose finer level foretells
the coarser one of the second half: continuing needs the finer level of the prefix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stemjax.config.decode import DecodeConfig, Guidance
from stemjax.decode.iterate import decode
from stemjax.decode.keep import Kept
from stemjax.decode.network import StemGenNetwork
from stemjax.decode.settings import variation_keys
from tests.tasks.toy_training import MODEL, Q, T, V, task_of, trained

pytestmark = pytest.mark.slow

HALF, ROWS = T // 2, 16


def stems_of(key, size):
    """The finer level is one code; the coarser is random, then that code: [B, Q, T]."""
    k_code, k_coarse = jax.random.split(key)
    code = jax.random.randint(k_code, (size, 1), 0, V)
    coarse = jax.random.randint(k_coarse, (size, T), 0, V)
    coarse = jnp.where(jnp.arange(T) < HALF, coarse, code)
    return jnp.stack([coarse, jnp.broadcast_to(code, (size, T))], axis=1)


def batch_of(key, size=32):
    return {
        "context_codes": jnp.zeros((size, Q, T), jnp.int32),
        "target_codes": stems_of(key, size),
        "instrument": jnp.zeros(size, jnp.int32),
    }


def test_a_prefix_is_continued_with_its_finer_levels():
    task = task_of(MODEL, keep_prefix=True)
    params = trained(task, MODEL, batch_of, steps=600)
    stems = np.asarray(stems_of(jax.random.key(7), ROWS))
    is_kept = np.zeros(stems.shape, bool)
    is_kept[..., :HALF] = True

    def continued(keeps_prefix):
        """Share of the second half that is right on the coarser level."""
        result = decode(
            StemGenNetwork(MODEL, keeps_prefix),
            params,
            DecodeConfig(steps=(T,), guidance=Guidance.NONE),
            np.zeros(stems.shape, np.int32),
            {"instrument": np.zeros(ROWS, np.int32)},
            variation_keys(np.zeros(ROWS, int), np.arange(ROWS)),
            kept=Kept(stems, is_kept),
        )
        codes = np.asarray(result.codes)
        np.testing.assert_array_equal(codes[is_kept], stems[is_kept])
        return np.mean(codes[:, 0, HALF:] == stems[:, 0, HALF:])

    assert continued(keeps_prefix=True) > 0.9
    assert continued(keeps_prefix=False) < 0.5  # chance is 1/6
