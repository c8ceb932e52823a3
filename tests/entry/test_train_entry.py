"""train.py as a user runs it: one start in its own process, the others in this one."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from stemjax.config.presets import PRESETS
from stemjax.train import metrics
from tests.entry.train_in_process import train

ROOT = pathlib.Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.entry


def in_own_process(*args):
    """`python train.py ARGS...`; it must succeed."""
    run = subprocess.run(
        [sys.executable, "train.py", *map(str, args)],
        cwd=ROOT,
        env=os.environ | {"JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    return run


def losses(workdir):
    lines = metrics.read_lines(workdir / "metrics.jsonl")
    return {line["step"]: line["loss"] for line in lines}


def test_help_loads_neither_jax_nor_tensorflow():
    code = (
        "import sys\n"
        "from stemjax.cli.train import main as train\n"
        "for args in [['--help'], ['stemgen-tiny', '--help']]:\n"
        "    try: train.main(args)\n"
        "    except SystemExit: pass\n"
        "print('\\nloaded', sorted({'jax', 'tensorflow', 'numpy'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert "--optim.peak-lr" in run.stdout
    words = " ".join(run.stdout.replace("│", " ").split())
    for name, preset in PRESETS.items():
        assert f"• {name} {preset.about}" in words
    assert run.stdout.splitlines()[-1] == "loaded []"


@pytest.mark.slow
def test_dry_run_of_the_papers_model():
    run = train("stemgen-slakh", "--dry-run", "--mesh.data", 4, "--mesh.fsdp", 2)
    plan = json.loads(run.stdout.splitlines()[-1])
    assert set(plan) >= {
        "backbone_params",
        "embedding_params",
        "head_params",
        "tokens_per_step",
        "flops_per_step",
        "bytes_per_device",
        "mesh",
    }
    assert 245e6 <= plan["backbone_params"] <= 265e6
    assert plan["head_params"] == 4 * 1024 * 2048
    assert plan["tokens_per_step"] == 40 * 1000
    assert plan["mesh"] == {"data": 4, "fsdp": 2, "tensor": 1}
    # 6 x matmul parameters and the attention's 12 L T D, for each of 40,000 frames
    matmul = plan["backbone_params"] + 1024 * 2048
    expected = 40_000 * (6 * matmul + 12 * 20 * 1000 * 1024)
    assert plan["flops_per_step"] == pytest.approx(expected, rel=1e-3)
    whole = json.loads(train("stemgen-slakh", "--dry-run").stdout.splitlines()[-1])
    assert plan["bytes_per_device"] < 0.7 * whole["bytes_per_device"]
    # parameters, gradients and two moments in float32
    params = sum(v for k, v in whole.items() if k.endswith("_params"))
    assert whole["bytes_per_device"] >= 16 * params


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("codec-mini", "--workdir", "w"), "stemjax prepare --layout"),
        (("stemgen-slakh", "--workdir", "w", "--data", "d"), "--allow-cpu"),
        (("codec-tiny",), "--workdir"),
        (("codec-mini", "--workdir", "w", "--data", "no-such-folder"), "no-such-fold"),
        (("export", "--workdir", "no-such-folder", "--out", "o"), "no-such-folder"),
        (("codec-tiny", "--workdir", "w", "--profile-steps", "5:5"), "give A:B"),
    ],
)
def test_bad_input_gets_one_line_and_exit_2(args, message, tmp_path):
    args = [str(tmp_path / a) if a in ("w", "d", "o") else a for a in args]
    run = train(*args, code=2)
    assert message in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_codec_tiny_trains_resumes_and_is_released(tmp_path):
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    in_own_process("codec-tiny", "--workdir", straight, "--steps", 8)
    assert list(losses(straight)) == list(range(1, 9))
    assert losses(straight)[8] < losses(straight)[1]
    train("codec-tiny", "--workdir", broken, "--steps", 5)
    run = train("codec-tiny", "--workdir", broken, "--steps", 8)
    assert "resuming at step 5" in run.stdout
    assert losses(broken) == losses(straight)
    run = train("codec-tiny", "--workdir", straight, "--steps", 8)
    assert "finished at step 8" in run.stdout
    run = train("codec-tiny", "--workdir", straight, "--batch-size", 4, code=2)
    assert "'batch_size'" in run.stderr

    train("export", "--workdir", straight, "--out", tmp_path / "release")
    from stemjax import codec
    from stemjax.config.presets import CODEC_TINY

    loaded = codec.load(tmp_path / "release")
    assert loaded.config == CODEC_TINY.model
    audio = np.sin(np.arange(6400, dtype=np.float32) / 20)[None]
    codes = np.asarray(loaded.encode(audio))
    assert codes.shape == (1, 2, 10)
    assert np.asarray(loaded.decode(codes)).shape == (1, 6400)


@pytest.mark.slow
def test_stemgen_tiny_trains_resumes_and_generates(tmp_path):
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    train("stemgen-tiny", "--workdir", straight)
    first = losses(straight)
    assert list(first) == list(range(1, 21))
    assert first[1] == pytest.approx(np.log(512), abs=0.5)  # untrained: uniform
    assert np.mean([first[s] for s in (18, 19, 20)]) < first[1] - 0.2
    train("stemgen-tiny", "--workdir", broken, "--steps", 10)
    train("stemgen-tiny", "--workdir", broken)
    assert losses(broken) == first
    evaluated = metrics.read_lines(straight / "eval.jsonl")
    assert [line["step"] for line in evaluated] == [10, 20]
    assert all("accuracy" in line for line in evaluated)

    train("export", "--workdir", straight, "--out", tmp_path / "out", "--dtype", "bf16")
    import stemjax

    audio = np.random.default_rng(0).normal(size=32_000).astype(np.float32) * 0.1
    for folder in (straight, tmp_path / "out"):
        model = stemjax.load(folder)
        result = model.generate(audio, 32_000, instrument="bass", steps=(2,))
        assert result.stem.shape == (32_000,) and np.isfinite(result.stem).all()


@pytest.fixture
def songs(tmp_path):
    """A prepared folder: three songs of six seconds, three stems each."""
    import soundfile

    rng = np.random.default_rng(0)
    time = np.arange(6 * 32_000) / 32_000
    for number in range(3):
        folder = tmp_path / "songs" / f"song{number}"
        folder.mkdir(parents=True)
        for k, name in enumerate(("bass", "guitar", "drums")):
            hertz = 80 * 2 ** (k + rng.uniform())
            wave = 0.2 * np.sin(2 * np.pi * hertz * time) * (1 + np.sin(8 * time)) / 2
            soundfile.write(folder / f"{name}.wav", wave.astype(np.float32), 32_000)
    splits = "id,split\nsong0,train\nsong1,train\nsong2,validation\n"
    (tmp_path / "splits.csv").write_text(splits)
    command = ["-m", "data.prepare", "--layout", "folder", "--workers", "1"]
    command += ["--input", tmp_path / "songs", "--out", tmp_path / "prepared"]
    command += ["--splits", tmp_path / "splits.csv"]
    subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, check=True, capture_output=True
    )
    return tmp_path / "prepared"


@pytest.mark.slow
def test_from_songs_to_tokens_to_a_model_to_clips_to_a_finetuned_one(songs, tmp_path):
    from stemjax import codec
    from stemjax.config.presets import CODEC_TINY

    codec.random(CODEC_TINY.model, 1).save(tmp_path / "codec")
    store = tmp_path / "tokens"
    more = ("--codec", tmp_path / "codec", "--draws", 2, "--crop-seconds", 1)
    run = train("tokens", "--data", songs, "--out", store, *more)
    assert "mixes of 300 frames" in run.stdout
    train("tokens", "--data", songs, "--out", store, *more)  # finished: nothing to do
    manifest = json.loads((store / "manifest.json").read_text())
    assert (manifest["kind"], manifest["num_codebooks"]) == ("tokens", 2)

    first = tmp_path / "first"
    command = ("stemgen-tiny", "--data", store, "--codec", tmp_path / "codec")
    clips = ("--loop.clips-every", 3, "--loop.eval-every", 3)
    train(*command, "--workdir", first, "--steps", 3, *clips)
    assert list(losses(first)) == [1, 2, 3]
    names = {p.name.split("-")[-1] for p in (first / "clips" / "3").iterdir()}
    assert {"context.wav", "mix.wav", "1.png"} <= names
    assert len(list((first / "clips" / "3").glob("*.png"))) == 4
    run = train("stemgen-tiny", "--data", store, "--workdir", tmp_path / "w", code=2)
    assert "--codec" in run.stderr

    # a run that starts from the first: its weights, a fresh optimiser and schedule
    second = tmp_path / "second"
    start = ("--init-from", first, "--optim.warmup-steps", 0, "--optim.peak-lr", 1e-9)
    train(*command, *start, "--workdir", second, "--steps", 1)
    from stemjax.train.checkpoint import restore_params

    a, b = restore_params(first)[0], restore_params(second)[0]
    np.testing.assert_allclose(a["heads"]["kernel"], b["heads"]["kernel"], atol=1e-7)
