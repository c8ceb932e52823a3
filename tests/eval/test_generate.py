"""Runs of a manifest: the clips are those of the API, resumed, in any batch."""

import functools
import json

import jax
import numpy as np
import pytest
import soundfile

from stemjax import codec
from stemjax.api import Model
from stemjax.config.decode import DecodeConfig, Guidance
from stemjax.config.presets import CODEC_TINY, STEMGEN_TINY, fit_to_codec
from stemjax.eval import generate as body
from stemjax.io.errors import UserError
from stemjax.models import stemgen

CONFIG = DecodeConfig(steps=(4, 2), guidance=Guidance.MULTI)


@pytest.fixture(scope="module")
def model():
    own = codec.random(CODEC_TINY.model, 0)
    config = fit_to_codec(STEMGEN_TINY.model, own.config)
    return Model(
        name="random",
        version="0",
        sha256="0" * 64,
        config=config,
        params=stemgen.init(jax.random.key(0), config),
        codec=own,
        trained_frames=100,
        decode=CONFIG,
    )


def requests():
    made = []
    for k, category in enumerate(("bass", "drums", "piano")):
        rng = np.random.default_rng(k)
        context = rng.normal(0, 0.1, 48_000).astype(np.float32)
        real = rng.normal(0, 0.1, 48_000).astype(np.float32)
        made.append(body.Request(f"{k:05d}", category, 100 + k, context, real))
    return made


def run(model, folder, rows, batch_size=2):
    folder = body.open_run(folder, {"steps": 6}, "rows\n")
    counts = []
    body.generate(
        functools.partial(model.answer, config=CONFIG),
        rows,
        folder,
        sample_rate=32_000,
        batch_size=batch_size,
        progress=counts.append,
    )
    return counts


def read(folder, role, name):
    audio, rate = soundfile.read(folder / role / f"{name}.flac", dtype="float32")
    assert rate == 32_000
    return audio


def test_clips_are_what_the_api_answers(model, tmp_path):
    rows = requests()
    assert run(model, tmp_path, rows) == [2, 1]
    for row in rows:
        wanted = model.generate(
            row.context, 32_000, instrument=row.category, seed=row.seed
        )
        heard = read(tmp_path, "generated", row.id)
        # the same tokens; their sound in a batch differs by rounding, then 24 bits
        np.testing.assert_allclose(heard, np.clip(wanted.stem, -1, 1), atol=1e-6)
        for role in ("context", "real"):
            audio = read(tmp_path, role, row.id)
            np.testing.assert_allclose(audio, getattr(row, role), atol=2**-23)
    stems = [read(tmp_path, "generated", row.id) for row in rows]
    assert all(
        np.abs(a - b).max() > 0.01 for a, b in zip(stems, stems[1:], strict=False)
    )
    config = json.loads((tmp_path / "config.json").read_text())
    assert config == {"steps": 6}
    assert (tmp_path / "manifest.jsonl").read_text() == "rows\n"


def test_the_batch_does_not_matter(model, tmp_path):
    rows = requests()
    run(model, tmp_path / "a", rows, batch_size=3)
    run(model, tmp_path / "b", rows[::-1], batch_size=1)
    for row in rows:
        a, b = (read(tmp_path / name, "generated", row.id) for name in "ab")
        np.testing.assert_allclose(a, b, atol=1e-6)  # as above


def test_a_run_goes_on_only_with_the_same_settings(model, tmp_path):
    rows = requests()
    run(model, tmp_path, rows[:1])
    assert [body.is_done(tmp_path, row.id) for row in rows] == [True, False, False]
    run(model, tmp_path, rows[1:])
    assert all(body.is_done(tmp_path, row.id) for row in rows)
    with pytest.raises(UserError, match="config.json: its steps is another"):
        body.open_run(tmp_path, {"steps": 7}, "rows\n")
