"""Sweeps: every run of every named one, overrides by hand, and each fault."""

import dataclasses

import pytest

from stemjax.config.model import INSTRUMENT, Precision
from stemjax.config.presets import CODEC_TINY, PRESETS, STEMGEN_TINY
from stemjax.config.runs import CodecRun, StemGenRun, run_id
from stemjax.config.train_sweeps import (
    SWEEPS,
    TrainSweep,
    apply,
    axis,
    changed,
    product,
    together,
)

FITTING = [
    (preset, name)
    for name, sweep in SWEEPS.items()
    for preset in PRESETS
    if isinstance(PRESETS[preset].run, sweep.kind)
]


@pytest.mark.parametrize("preset, name", FITTING)
def test_every_run_of_every_sweep_is_a_run_of_its_own(preset, name):
    sweep = SWEEPS[name]
    runs = [apply(PRESETS[preset].run, sweep, i) for i in range(len(sweep.runs))]
    assert len({run_id(run) for run in runs}) == len(sweep.runs) > 1
    for run, overrides in zip(runs, sweep.runs, strict=True):
        for field, value in overrides:
            setting = run
            for part in field.split("."):
                setting = getattr(setting, part)
            assert setting == value


def test_the_hundred_runs_in_order():
    sweep = SWEEPS["hundred"]
    assert len(sweep.runs) == 100
    fields = ("optim.peak_lr", "objective.context_dropout", "seed")
    for index, values in {
        0: (2.5e-4, 0.05, 0),
        4: (2.5e-4, 0.05, 4),
        5: (2.5e-4, 0.1, 0),
        37: (5e-4, 0.4, 2),
        99: (4e-3, 0.4, 4),
    }.items():
        assert sweep.runs[index] == tuple(zip(fields, values, strict=True))
    run = apply(STEMGEN_TINY, sweep, 37)
    assert (run.optim.peak_lr, run.objective.context_dropout, run.seed) == (
        5e-4,
        0.4,
        2,
    )
    assert run.optim.warmup_steps == STEMGEN_TINY.optim.warmup_steps
    assert run.model == STEMGEN_TINY.model


def test_the_largest_size_of_the_scale_is_the_papers():
    sweep = SWEEPS["scale"]
    assert {len(run) for run in sweep.runs} == {5}
    paper = PRESETS["stemgen-slakh"].run.model.transformer
    assert apply(STEMGEN_TINY, sweep, 20).model.transformer == paper
    for index in range(21):
        shape = apply(STEMGEN_TINY, sweep, index).model.transformer
        assert shape.width == 64 * shape.heads
        assert shape.mlp_hidden == -(-shape.width // 3) * 8  # 8/3 D, on the next 8


def test_grids_by_hand():
    a, b = axis("x", 1, 2), together(("y", "z"), (3, 4), (5, 6))
    assert a == ((("x", 1),), (("x", 2),))
    assert b == ((("y", 3), ("z", 4)), (("y", 5), ("z", 6)))
    assert product(a, b) == (
        (("x", 1), ("y", 3), ("z", 4)),
        (("x", 1), ("y", 5), ("z", 6)),
        (("x", 2), ("y", 3), ("z", 4)),
        (("x", 2), ("y", 5), ("z", 6)),
    )
    with pytest.raises(ValueError, match="two axes set 'x'"):
        product(a, axis("x", 3))
    with pytest.raises(ValueError):
        together(("y", "z"), (3,))


def test_overrides_apply_at_once_and_leave_the_rest():
    # heads alone would not divide the old width, nor width alone the old heads
    shape = (("model.transformer.heads", 3), ("model.transformer.width", 192))
    for overrides in (shape, shape[::-1]):
        run = changed(STEMGEN_TINY, (*overrides, ("seed", 7), ("optim.floor", 1)))
        transformer = dataclasses.replace(
            STEMGEN_TINY.model.transformer, width=192, heads=3
        )
        assert run == dataclasses.replace(
            STEMGEN_TINY,
            seed=7,
            optim=dataclasses.replace(STEMGEN_TINY.optim, floor=1.0),
            model=dataclasses.replace(STEMGEN_TINY.model, transformer=transformer),
        )
        assert type(run.optim.floor) is float


def test_enums_lists_and_whole_parts():
    run = changed(
        STEMGEN_TINY,
        (("model.conditions", []), ("model.transformer.precision", "bfloat16")),
    )
    assert run.model.conditions == ()
    assert run.model.transformer.precision is Precision.BFLOAT16
    table = {"name": "instrument", "kind": "categorical", "size": 18}
    assert changed(run, (("model.conditions", [table]),)).model.conditions == (
        INSTRUMENT,
    )
    optim = dataclasses.replace(STEMGEN_TINY.optim, clip_norm=2.0)
    run = changed(STEMGEN_TINY, (("optim", optim), ("optim.beta1", 0.8)))
    assert run.optim == dataclasses.replace(optim, beta1=0.8)


def test_paths_of_data_codec_and_start_may_be_swept():
    run = changed(STEMGEN_TINY, (("data", "a"), ("codec", "b"), ("init_from", "c")))
    assert (run.data, run.codec, run.init_from) == ("a", "b", "c")


FAULTS = {
    "unknown": ("optim.rate", 1.0, "optim.rate: no such field; one of optim.peak_lr"),
    "unknown part": ("optimiser.rate", 1.0, "optimiser: no such field; one of steps"),
    "too deep": ("seed.low", 1, "seed.low: seed has no fields"),
    "too deep inside": ("optim.beta1.x", 1, "optim.beta1.x: optim.beta1 has no fields"),
    "type": (
        "optim.peak_lr",
        "1e-3",
        'field optim.peak_lr: expected a number, got "1e-3"',
    ),
    "no whole number": (
        "batch_size",
        8.0,
        "batch_size: expected an integer, got 8.0",
    ),
    "part for value": ("optim", 1e-3, "field optim: expected a table, got 0.001"),
    "check": ("model.transformer.width", 90, "model.transformer.width: width 90 must"),
    "invocation": ("workdir", "a", "workdir: a sweep cannot set it; give it as a flag"),
    "the sweep itself": ("index", 1, "index: a sweep cannot set it; give it as a flag"),
    "the codec's": ("model.codebook_size", 512, "the codec decides it"),
    "empty": ("", 1, ": no such field"),
}


@pytest.mark.parametrize("field, value, message", FAULTS.values(), ids=FAULTS)
def test_faults_name_the_field(field, value, message):
    with pytest.raises(ValueError) as caught:
        changed(STEMGEN_TINY, (("seed", 1), (field, value)))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_codec_decides_its_own_codes():
    assert changed(CODEC_TINY, (("model.codebook_size", 64),)).model.codebook_size == 64


def test_a_model_that_starts_from_weights_has_their_shape():
    run = dataclasses.replace(STEMGEN_TINY, init_from="stemgen-mini")
    with pytest.raises(
        ValueError, match="model.joint: the weights of init_from decide"
    ):
        changed(run, (("model.joint", True),))
    assert changed(run, (("seed", 3),)).seed == 3


def test_the_range_and_the_kind_are_said():
    sweep = TrainSweep(name="s", about="", kind=StemGenRun, runs=axis("seed", 5, 6))
    assert [apply(STEMGEN_TINY, sweep, i).seed for i in (0, 1)] == [5, 6]
    for index in (-1, 2):
        with pytest.raises(ValueError, match=rf"has runs 0\.\.1, not {index}"):
            apply(STEMGEN_TINY, sweep, index)
    with pytest.raises(ValueError, match="'s' is for stemgen presets"):
        apply(CODEC_TINY, sweep, 0)
    codec = dataclasses.replace(sweep, kind=CodecRun)
    with pytest.raises(ValueError, match="for codec presets"):
        apply(STEMGEN_TINY, codec, 0)
