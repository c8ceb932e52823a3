"""`--dry-run --compile`: the numbers of compiled programs hold together."""

import dataclasses
import functools
import json
import math
import os
import pathlib
import subprocess
import sys

import jax
import pytest

from stemjax.config.codec import CodecConfig
from stemjax.config.model import StemGenConfig, TransformerConfig
from stemjax.config.presets import CODEC_TINY, STEMGEN_SLAKH, STEMGEN_TINY
from stemjax.config.runs import Invocation
from stemjax.io.errors import UserError
from stemjax.nn.axes import make_mesh
from stemjax.tasks import stemgen as tasks
from stemjax.train.planning import compiled, plan, targets
from stemjax.train.planning.compiled import CompiledProgram, compile_train_step
from stemjax.train.planning.dry_run import bytes_per_device
from stemjax.train.planning.fits import MemorySetting
from stemjax.train.planning.targets import CompileTarget, check_request
from stemjax.train.state import abstract_state

ROOT = pathlib.Path(__file__).resolve().parents[3]
LAYERS, FRAMES = 2, 100
CODEC = CodecConfig(num_codebooks=2, codebook_size=64)
RUN = dataclasses.replace(
    STEMGEN_TINY,
    batch_size=8,
    ema_decay=0.9,
    model=StemGenConfig(
        num_codebooks=2,
        codebook_size=64,
        transformer=TransformerConfig(width=64, layers=LAYERS, heads=2, mlp_hidden=128),
    ),
    pairs=dataclasses.replace(STEMGEN_TINY.pairs, crop_seconds=2.0),
)
# a run -> its task
MAKE = functools.partial(tasks.make, codec_config=CODEC, batches_are_tokens=True)


@pytest.fixture(scope="module")
def mesh():
    return make_mesh(RUN.mesh, jax.devices()[:1])


@pytest.fixture(scope="module")
def steps(mesh):
    """The compiled step as it is, rematerialised, and in two micro-batches."""
    settings = (
        MemorySetting(False, 1),
        MemorySetting(True, 1),
        MemorySetting(False, 2),
    )
    runs = [plan.with_setting(RUN, setting) for setting in settings]
    return [
        compile_train_step(MAKE(run), run, mesh, {}, name="step", options={})
        for run in runs
    ]


@pytest.mark.slow
def test_arguments_are_the_state_and_the_batch(steps, mesh):
    step, task = steps[0], MAKE(RUN)
    state = abstract_state(task, RUN)
    held = sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(state))
    codes = 2 * 8 * 2 * FRAMES * 2  # context and target, [B, Q, T] uint16
    assert step.arguments == held + codes + 8 * 4  # instruments, int32
    # the abstract count has gradients beside, and no step, key and flag
    gradients = sum(4 * math.prod(x.shape) for x in jax.tree.leaves(state.params))
    planned = bytes_per_device(task, RUN, mesh)
    assert planned == step.arguments + gradients - (4 + 8 + 1)
    # all of the new state takes the old one's place; metrics are a few scalars
    assert step.donated == pytest.approx(held, abs=16)
    assert step.donated < step.outputs < step.donated + 4096
    assert step.peak >= step.arguments + step.temporaries


@pytest.mark.slow
def test_saving_memory_saves_memory(steps):
    whole, remat, halves = steps
    # a CPU's scheduler makes blocks again early; GPUs and TPUs keep a fifth
    assert remat.temporaries < whole.temporaries
    assert halves.temporaries < 0.8 * whole.temporaries
    assert remat.arguments == halves.arguments == whole.arguments


@pytest.mark.slow
def test_flops_are_the_models_and_rematerialising_adds_a_forward(steps):
    whole, remat, halves = steps
    tokens = RUN.batch_size * FRAMES
    net = LAYERS * (4 * 64 * 64 + 3 * 64 * 128)  # matrices of the blocks
    attention = 12 * LAYERS * FRAMES * 64
    model = tokens * (6 * (net + 64 * 64) + attention)
    # above it: the CPU's attention makes its weights again; one-hot rows pick heads
    assert model < whole.flops < 1.25 * model
    assert 1.15 * whole.flops < remat.flops < 4 / 3 * whole.flops
    # micro-batches are the same work
    assert halves.flops == pytest.approx(whole.flops, rel=0.02)
    # XLA takes loops once: over examples in the CPU's attention, over micro-batches
    assert 0.6 * whole.flops < whole.device_flops < 1.2 * whole.flops
    assert halves.device_flops < 0.6 * whole.device_flops


def test_the_decoder_is_compiled_for_all_its_branches(mesh, capsys):
    one = compiled.compile_decoder(
        RUN.model, mesh, batch_size=2, num_frames=FRAMES, options={}
    )
    assert "decoder" in capsys.readouterr().err
    # 16 steps x 3 branches of a forward
    net = LAYERS * (4 * 64 * 64 + 3 * 64 * 128) + 64 * 64
    forward = 2 * FRAMES * (2 * net + 4 * LAYERS * FRAMES * 64)
    assert one.flops == pytest.approx(16 * 3 * forward, rel=0.05)
    params = jax.tree.leaves(abstract_state(MAKE(RUN), RUN).params)
    assert one.arguments > 4 * sum(math.prod(x.shape) for x in params)
    assert one.collectives == {}


def fake(peak):
    return CompiledProgram(0, 0, 0, peak, peak, 1, None, {}, 0.0)


@pytest.mark.parametrize("run", [STEMGEN_SLAKH, CODEC_TINY], ids=["stemgen", "codec"])
def test_the_table_names_the_flags_and_compiles_each_setting_once(
    run, mesh, monkeypatch
):
    compiled_settings = []

    def compile_fake(task, run, mesh, frozen, *, name, options):
        net = getattr(run.model, "transformer", None)
        remat = net is not None and net.rematerialise
        compiled_settings.append((remat, run.loop.accumulate))
        return fake(10**9 * (10 if remat else 100) // run.loop.accumulate)

    monkeypatch.setattr(plan, "compile_train_step", compile_fake)
    target = CompileTarget(jax.devices(), (3, 24, 80, 141), {})
    run = dataclasses.replace(run, batch_size=40)
    entry = plan.train_step_entry(run, lambda run: None, {}, mesh, target)
    rows = {
        row["memory_gb"]: (row["flags"], row["peak_bytes"]) for row in entry["fits"]
    }
    remat = "--model.transformer.rematerialise"
    if run.model is STEMGEN_SLAKH.model:
        assert rows == {
            3: ("--loop.accumulate 40", 25 * 10**8),
            24: (remat, 10**10),
            80: (remat, 10**10),
            141: ("", 10**11),
        }
    else:  # no blocks to make again
        assert rows == {
            3: ("--loop.accumulate 40", 25 * 10**8),
            24: ("--loop.accumulate 8", 125 * 10**8),
            80: ("--loop.accumulate 2", 5 * 10**10),
            141: ("", 10**11),
        }
    assert len(compiled_settings) == len(set(compiled_settings))
    none = target._replace(memory_gb=(0,))
    entry = plan.train_step_entry(run, lambda run: None, {}, mesh, none)
    assert entry["fits"] == [
        {"memory_gb": 0, "flags": "does not fit", "peak_bytes": None}
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"compile": True}, "--dry-run"),
        ({"topology": "v5e:8x8"}, "--dry-run --compile"),
        ({"topology": "v5e:8x8", "dry_run": True}, "--dry-run --compile"),
        ({"topology": "tpu", "dry_run": True, "compile": True}, "h100:8"),
        ({"topology": "z80:8", "dry_run": True, "compile": True}, "a100|h100|h200"),
        ({"topology": "h100:0", "dry_run": True, "compile": True}, "v5e:8x8"),
    ],
)
def test_flags_that_mean_nothing_together_are_refused(changes, message):
    with pytest.raises(UserError) as error:
        check_request(Invocation(**changes))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("topology", "extra"), [("v5e:8x8", "tpu"), ("h100:8", "cuda12")]
)
def test_a_compiler_that_is_not_installed_is_named(topology, extra, monkeypatch):
    monkeypatch.setattr(targets, "_is_installed", lambda package: False)
    invocation = Invocation(topology=topology, dry_run=True, compile=True)
    with pytest.raises(UserError, match=rf'pip install -e "\.\[{extra}\]"'):
        check_request(invocation)


@pytest.mark.slow
@pytest.mark.entry
def test_a_plan_for_two_devices_as_a_user_asks_for_it():
    def train(*flags):
        return subprocess.run(
            [sys.executable, "train.py", "stemgen-tiny", "--compile", *flags],
            cwd=ROOT,
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            timeout=600,
        )

    done = train("--dry-run", "--mesh.data", "2", "--pairs.crop-seconds", "0.5")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["mesh"] == {"data": 2, "fsdp": 1, "tensor": 1}
    assert report["compiled_for"] == {"platform": "cpu", "device": "cpu", "devices": 2}
    step = report["train_step"]
    assert step["encodes_audio"]  # tiny presets make their audio
    assert [row["memory_gb"] for row in step["fits"]] == [24, 40, 80, 141]
    assert {row["flags"] for row in step["fits"]} == {""}
    assert step["peak_bytes"] < 10**9
    # of gradients; audio is encoded where it lies
    assert step["collectives"].keys() == {"all-reduce"}
    # gradients are not kept by a compiled step's arguments; all else is
    assert step["donated_bytes"] < report["bytes_per_device"]
    assert report["decoder"]["contexts"] == 4 and report["decoder"]["frames"] == 25
    assert "compiling train_step for 2 x cpu" in done.stderr
    refused = train("--workdir", "w")
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: --compile") and not refused.stdout
