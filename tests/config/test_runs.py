"""Runs as JSON: round trips, what may change between starts, presets."""

import ast
import dataclasses
import json
import pathlib

import pytest

from stemjax.config.codec import CodecConfig, CodecObjective
from stemjax.config.decode import DECODE_PRESETS, DecodeConfig, Guidance
from stemjax.config.model import StemGenConfig
from stemjax.config.plain_values import from_json, to_json
from stemjax.config.presets import PRESETS, STEMGEN_TINY, fit_to_codec
from stemjax.config.runs import Invocation, first_difference, resolved, run_id
from stemjax.config.train import traced_steps

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", PRESETS)
def test_a_run_survives_json(name):
    run = PRESETS[name].run
    assert from_json(type(run), json.loads(json.dumps(to_json(run)))) == run


def test_unknown_fields_are_named():
    with pytest.raises(ValueError, match="field w_luck: unknown"):
        from_json(DecodeConfig, {"w_luck": 1.0})


def test_what_may_change_between_starts():
    saved = resolved(STEMGEN_TINY)
    longer = dataclasses.replace(STEMGEN_TINY, steps=99, init_from="x", data="y")
    assert first_difference(saved, resolved(longer)) is None
    optim = dataclasses.replace(STEMGEN_TINY.optim, peak_lr=1.0)
    other = dataclasses.replace(STEMGEN_TINY, optim=optim)
    assert first_difference(saved, resolved(other)) == "optim.peak_lr"
    assert run_id(other) != run_id(STEMGEN_TINY)
    placed = dataclasses.replace(STEMGEN_TINY, codec="x", data="y")
    assert run_id(placed) == run_id(STEMGEN_TINY)


def test_the_paper_is_the_default():
    """StemGen, sec. 3 and 3.2: the figures that the paper states."""
    run = PRESETS["stemgen-slakh"].run
    shape = run.model.transformer
    assert (shape.width, shape.heads, shape.layers) == (1024, 16, 20)
    assert (run.batch_size, run.pairs.crop_seconds) == (40, 20.0)
    schedule = run.optim
    assert (schedule.warmup_steps, schedule.hold_steps) == (10_000, 50_000)
    assert (schedule.peak_lr, schedule.decay_steps) == (5e-4, 300_000)
    best = DECODE_PRESETS["best"]
    assert (best.steps, best.scales) == ((128, 64, 32, 32), (3.0, 3.0))
    assert (best.w_conf, best.w_causal, best.w_rand) == (0.1, 0.1, 1.0)
    naive = DECODE_PRESETS["naive"]
    assert (naive.guidance, naive.w_causal) == (Guidance.NONE, 0.0)
    assert sum(DECODE_PRESETS["fast"].steps) == 16


def test_the_published_codec_is_the_default():
    codec = CodecConfig()
    assert (codec.hop, codec.frame_rate) == (640, 50.0)
    assert [codec.frames(n) for n in (640_000, 1, 640, 641)] == [1000, 1, 1, 2]
    small = CodecConfig(num_codebooks=2, codebook_size=512)
    model = fit_to_codec(StemGenConfig(), small)
    assert (model.num_codebooks, model.codebook_size) == (2, 512)


def test_steps_follow_the_number_of_levels():
    best = DECODE_PRESETS["best"]
    assert best.steps_for(2) == (128, 64)
    assert best.steps_for(6) == (128, 64, 32, 32, 32, 32)


@pytest.mark.parametrize(
    "bad", [{"steps": ()}, {"steps": (0, 1)}, {"temperature": 0.0}, {"top_p": 0.0}]
)
def test_settings_that_make_no_sense_are_refused(bad):
    with pytest.raises(ValueError):
        DecodeConfig(**bad)


def leaves(kind) -> set[str]:
    names = set()
    for field in dataclasses.fields(kind):
        inner = field.default
        names |= (
            leaves(type(inner)) if dataclasses.is_dataclass(inner) else {field.name}
        )
    return names


def test_no_knob_is_dead():
    """Every field of a run, a codec and a decoding is read somewhere outside config."""
    kinds = {type(preset.run) for preset in PRESETS.values()}
    kinds |= {Invocation, DecodeConfig, CodecObjective}
    fields = set().union(*map(leaves, kinds))
    read = set()
    for top in ("stemjax", "data"):
        for path in (ROOT / top).rglob("*.py"):
            if "config" not in path.parts:
                tree = ast.parse(path.read_text())
                read |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for path in (ROOT / "train.py", ROOT / "sample.py"):
        tree = ast.parse(path.read_text())
        read |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    assert fields - read - {"frame_rate", "kind"} == set()


def test_steps_to_trace():
    assert traced_steps("100:105") == (100, 105)
    for bad in ("5", "5:5", "6:5", "0:3", "a:b", ":", "1:2:3", "-1:4"):
        with pytest.raises(ValueError, match=f"--profile-steps {bad}: give A:B"):
            traced_steps(bad)
