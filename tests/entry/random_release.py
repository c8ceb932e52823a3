"""A tiny StemGen release with random weights, and sample.py run on it."""

import contextlib
import io
import pathlib
import subprocess
import sys
from unittest import mock

import jax
import numpy as np

from stemjax import codec
from stemjax.config.categories import CATEGORIES
from stemjax.config.decode import DecodeConfig, Guidance
from stemjax.config.presets import CODEC_TINY, STEMGEN_TINY, fit_to_codec
from stemjax.config.runs import to_json
from stemjax.io.release import write_release
from stemjax.io.weights import flatten
from stemjax.models import stemgen

ROOT = pathlib.Path(__file__).resolve().parents[2]


def write_random_release(folder: pathlib.Path, steps=(4, 2)) -> pathlib.Path:
    """Write a release and its codec; crops of 2 s, `steps` for each of two levels."""
    codec.random(CODEC_TINY.model, 0).save(folder / "codec")
    return write_random_model(folder, codec.load(folder / "codec"), "codec", 100, steps)


def write_random_model(
    folder: pathlib.Path, coder: codec.Codec, codec_name: str, frames: int, steps
) -> pathlib.Path:
    """Write a release for a codec that is found by `codec_name`; crops of `frames`."""
    model = fit_to_codec(STEMGEN_TINY.model, coder.config)
    params = stemgen.init(jax.random.key(0), model)
    config = {
        "kind": "stemgen",
        "name": "random-tiny",
        "version": "0",
        "model": to_json(model),
        "trained_frames": frames,
        "categories": CATEGORIES,
        "codec": to_json(coder.reference) | {"name": codec_name},
        "decode": to_json(DecodeConfig(steps=steps, guidance=Guidance.MULTI)),
    }
    flat = {k: np.asarray(v) for k, v in flatten(params).items()}
    write_release(folder, config, flat, "# A random model\n")
    return folder


def sample(*args) -> subprocess.CompletedProcess:
    """Run sample.py in a process."""
    command = [sys.executable, "sample.py", *map(str, args)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def sample_here(*args) -> subprocess.CompletedProcess:
    """Run sample.py in this process, which has imported jax and compiled programs."""
    from stemjax.cli.sample import main as script

    stdout, stderr, code = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        mock.patch("stemjax.cli.sample.inputs.use_compilation_cache"),
        mock.patch("stemjax.io.process.allocator.keep_memory"),
    ):
        try:
            script.main([str(word) for word in args])
        except SystemExit as end:
            code = end.code
    return subprocess.CompletedProcess(args, code, stdout.getvalue(), stderr.getvalue())


def refused(*args, out: pathlib.Path) -> str:
    """The error line of sample.py for bad input: exit 2, nothing written."""
    run = sample_here(*args, "--out", out)
    assert run.returncode == 2 and not out.exists(), run.stderr
    assert run.stderr.startswith("error: ") and run.stderr.count("\n") == 1, run.stderr
    return run.stderr
