"""Releases from workdirs: what cannot be released is refused by name."""

import jax
import numpy as np
import pytest

from stemjax.codec import functional
from stemjax.config.presets import CODEC_TINY
from stemjax.config.releases import CodecRelease
from stemjax.io.errors import UserError
from stemjax.train import export
from tests.train import made_workdirs

KEY = jax.random.key(0)


def test_a_codec_whose_codebooks_are_empty_is_refused(tmp_path, monkeypatch):
    """Codes of such a codec are all 0; a model that learns them diverges at once."""
    workdir = made_workdirs.make(tmp_path / "w", run=CODEC_TINY)
    shapes = jax.eval_shape(lambda key: functional.init(key, CODEC_TINY.model), KEY)
    params, codebooks = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    monkeypatch.setattr(export, "restore_params", lambda _: (params, codebooks, 3))
    with pytest.raises(UserError, match=r"w: at step 3 the codebooks are empty"):
        export.restore_model(workdir, CodecRelease)
    filled = jax.tree.map(lambda values: values + 1, codebooks)
    monkeypatch.setattr(export, "restore_params", lambda _: (params, filled, 3))
    assert export.restore_model(workdir, CodecRelease).config.steps == 3
