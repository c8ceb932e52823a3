"""Runs of a manifest: the clips are those of the API, resumed, in any batch."""

import dataclasses
import json
from typing import NamedTuple

import jax
import numpy as np
import pytest
import soundfile

from stemjax import codec
from stemjax.api import Model
from stemjax.config.decode import DecodeConfig, Guidance
from stemjax.config.presets import CODEC_TINY, STEMGEN_TINY, fit_to_codec
from stemjax.eval.populations import generate as body
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


class Pair(NamedTuple):
    id: str
    song: str
    category: str
    seed: int


PAIRS = [
    Pair(f"{k:05d}", f"song {k}", category, 100 + k)
    for k, category in enumerate(("bass", "drums", "piano"))
]


def audio_of(pair):
    rng = np.random.default_rng(int(pair.id))
    context, real = rng.normal(0, 0.1, (2, 48_000)).astype(np.float32)
    return context, real


EXAMPLES = body.ExampleSet(PAIRS, "rows\n", audio_of)


def run(model, folder, pairs, batch_size=2, config=CONFIG, variation=0):
    folder = body.open_run(folder, {"steps": 6}, "rows\n")
    body.write_references(folder, EXAMPLES, pairs, 32_000)
    jobs = [
        body.Job(pair, config, variation, folder / "generated" / f"{pair.id}.flac")
        for pair in pairs
    ]
    counts = []
    body.decode_stems(
        model, jobs, audio_of, batch_size=batch_size, progress=counts.append
    )
    return counts


def read(folder, role, name):
    audio, rate = soundfile.read(folder / role / f"{name}.flac", dtype="float32")
    assert rate == 32_000
    return audio


def test_clips_are_what_the_api_answers(model, tmp_path):
    assert run(model, tmp_path, PAIRS) == [2, 1]
    for pair in PAIRS:
        context, real = audio_of(pair)
        wanted = model.generate(
            context, 32_000, instrument=pair.category, seed=pair.seed
        )
        heard = read(tmp_path, "generated", pair.id)
        np.testing.assert_allclose(heard, np.clip(wanted.stem, -1, 1), atol=2**-23)
        for role, written in (("context", context), ("real", real)):
            audio = read(tmp_path, role, pair.id)
            np.testing.assert_allclose(audio, written, atol=2**-23)
    stems = [read(tmp_path, "generated", pair.id) for pair in PAIRS]
    assert all(
        np.abs(a - b).max() > 0.01 for a, b in zip(stems, stems[1:], strict=False)
    )
    config = json.loads((tmp_path / "config.json").read_text())
    assert config == {"steps": 6}
    assert (tmp_path / "manifest.jsonl").read_text() == "rows\n"


def test_the_batch_does_not_matter(model, tmp_path):
    run(model, tmp_path / "a", PAIRS, batch_size=3)
    run(model, tmp_path / "b", PAIRS[::-1], batch_size=1)
    for pair in PAIRS:
        a, b = (read(tmp_path / name, "generated", pair.id) for name in "ab")
        np.testing.assert_array_equal(a, b)


def test_settings_and_variations_are_each_row_s_own(model, tmp_path):
    """Rows of one batch with other scales, another program, another variation."""
    pair = PAIRS[0]
    context, _ = audio_of(pair)
    strong = dataclasses.replace(CONFIG, scales=(4.0, 1.0), temperature=0.7)
    naive = dataclasses.replace(CONFIG, guidance=Guidance.NONE)
    asked = [(CONFIG, 0), (naive, 0), (strong, 0), (CONFIG, 1)]
    jobs = [
        body.Job(pair, config, variation, tmp_path / str(k) / "stem.flac")
        for k, (config, variation) in enumerate(asked)
    ]
    counts = []
    body.decode_stems(model, jobs, audio_of, batch_size=3, progress=counts.append)
    assert counts == [3, 1]  # the three of multi-source guidance, then the naive one
    stems = [soundfile.read(job.stem, dtype="float32")[0] for job in jobs]
    common = {"instrument": pair.category, "seed": pair.seed}
    for stem, (config, variation) in zip(stems, asked, strict=True):
        wanted = model.generate(
            context,
            32_000,
            variations=2,
            guidance=config.guidance,
            scales=config.scales,
            temperature=config.temperature,
            **common,
        )[variation]
        np.testing.assert_allclose(stem, np.clip(wanted.stem, -1, 1), atol=2**-23)
    assert all(np.abs(stems[0] - other).max() > 0.01 for other in stems[1:])


def test_a_run_goes_on_only_with_the_same_settings(model, tmp_path):
    assert run(model, tmp_path, PAIRS[:1]) == [1]
    assert run(model, tmp_path, PAIRS) == [2]  # what was there is not decoded again
    with pytest.raises(UserError, match="config.json: its steps is another"):
        body.open_run(tmp_path, {"steps": 7}, "rows\n")
