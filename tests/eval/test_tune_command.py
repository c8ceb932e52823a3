"""`evaluate.py tune` on a tiny model with a made score: the files, and the release."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

import stemjax
from stemjax.config.categories import CATEGORIES
from stemjax.config.decode import BEST, DecodeConfig
from stemjax.config.presets import CODEC_TINY, STEMGEN_TINY, fit_to_codec
from stemjax.config.runs import to_json
from stemjax.eval.commands import tune as command
from stemjax.eval.commands.decoding_arguments import Tune
from stemjax.eval.generate import ExampleSet
from stemjax.eval.populations import Bench
from stemjax.eval.tune_report import UNCLEAR
from stemjax.io import release
from stemjax.io.errors import UserError
from stemjax.io.weights import flatten
from tests.eval.made_scores import bowl, report
from tests.models.oracle import random_params


class Pair(NamedTuple):
    id: str
    song: str
    category: str
    seed: int


def examples(first):
    pairs = [Pair(f"{k:05d}", f"song {k}", "bass", first + k) for k in range(4)]

    def read(pair):
        rng = np.random.default_rng(pair.seed)
        return tuple(rng.normal(0, 0.1, (2, 32_000)).astype(np.float32))

    return ExampleSet(pairs, "".join(f"{pair}\n" for pair in pairs), read)


START = DecodeConfig(steps=(2, 1), scales=(3.0, 3.0))


@pytest.fixture(scope="module")
def tiny_codec():
    """Its codes are levels of frames: nothing is compiled."""
    config = CODEC_TINY.model

    def encode(audio):
        frames = np.abs(audio).reshape(len(audio), -1, config.hop).mean(axis=-1)
        codes = np.int32(1000 * frames) % config.codebook_size
        return np.repeat(codes[:, None], config.num_codebooks, axis=1)

    return SimpleNamespace(name="codec", sha256="c" * 64, config=config, encode=encode)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_codec):
    """A release of random weights."""
    out = tmp_path_factory.mktemp("release") / "own"
    own = tiny_codec
    config = fit_to_codec(STEMGEN_TINY.model, own.config)
    flat = flatten(random_params(config))
    release.write_release(
        out,
        {
            "kind": "stemgen",
            "name": "own",
            "version": "1",
            "categories": list(CATEGORIES),
            "model": to_json(config),
            "trained_frames": 100,
            "codec": {"name": "codec", "sha256": own.sha256},
            "decode": to_json(START),
        },
        {k: np.asarray(v) for k, v in flat.items()},
        "a card",
    )
    return out


@pytest.fixture
def own_codec(monkeypatch, tiny_codec):
    monkeypatch.setattr("stemjax.api.loading.load_codec", lambda name: tiny_codec)


def by_settings(triples):
    """A score that says what `bowl` says of the stems' settings; errors of 0.02."""
    values = []
    for triple in triples:
        found = json.loads((Path(triple.generated).parent / "config.json").read_text())
        config = found["decode"]
        as_config = dataclasses.replace(
            BEST, **{k: config[k] for k in ("w_causal", "w_conf", "temperature")}
        )
        as_config = dataclasses.replace(as_config, scales=tuple(config["scales"]))
        values.append(np.exp(bowl(as_config) / 10) + 1e-3 * (sum(config["steps"]) < 3))
    value = float(np.mean(values))
    return report(value, value) | {"headline": False, "silent": {"generated": 0}}


def run(folder, out, monkeypatch, score=by_settings, **flags):
    asked = Tune(checkpoint=str(folder), out=str(out), n=4, data="set by hand", **flags)
    command.check(asked)
    monkeypatch.setattr(command, "scorer_of", lambda *_: score)
    monkeypatch.setattr(command, "settings_of", lambda *_: None)
    model = stemjax.load(folder)
    counts = []

    def answer(self, contexts, *more):
        counts.append(len(contexts))
        return 0.5 * contexts

    monkeypatch.setattr(type(model), "answer", answer)
    benches = (Bench(model, examples(0), out), Bench(model, examples(9), out / "check"))
    command.run_tune(asked, command.Tuning(model, model.decode, *benches), ["lines"])
    return len(counts)


def test_a_release_is_tuned_written_and_loads_with_its_new_settings(
    folder, own_codec, tmp_path, monkeypatch, capsys
):
    weights = (folder / release.WEIGHTS).read_bytes()
    before = release.read_config(folder)
    calls = run(folder, tmp_path, monkeypatch, keep_steps=True)
    page = (tmp_path / "tune.md").read_text()
    settings = "scales 2/1.5, w_conf 0.3, w_causal 0.2, temperature 0.9"
    assert f"**Settings found: {settings}, temperature_final 0.9.** They are" in page
    assert page in capsys.readouterr().out and UNCLEAR not in page
    assert release.read_config(folder) == before
    whole = json.loads((tmp_path / "tune.json").read_text())
    assert whole["decode"] == json.loads((tmp_path / "decode.json").read_text())
    assert [row["is_taken"] for row in whole["search"]].count(True) == 6
    expected = -bowl(START) / 10
    assert whole["held_out"]["objective"] == pytest.approx(expected, rel=1e-6)
    assert abs(whole["steps"][0]["context_gain"]["value"]) < 1
    rows = (tmp_path / "tune.csv").read_text().splitlines()
    assert len(rows) == 1 + len(whole["search"]) + len(whole["steps"]) == 24
    assert (tmp_path / "frontier.png").stat().st_size > 10_000
    # again: what is timed alone is decoded, 3 times for each of 2 numbers of steps
    again = run(folder, tmp_path, monkeypatch, keep_steps=True, write=True)
    assert again == 6 and calls == 6 + 22 + 2
    assert stemjax.load(folder).decode == dataclasses.replace(
        START,
        scales=(2.0, 1.5),
        w_causal=0.2,
        w_conf=0.3,
        temperature=0.9,
        temperature_final=0.9,
    )
    assert (folder / release.WEIGHTS).read_bytes() == weights
    after = release.read_config(folder)
    assert after | {"decode": None} == before | {"decode": None}
    assert not list(folder.glob(".*"))


def test_noise_is_said_in_the_page_and_steps_fall_to_the_cheapest(
    folder, own_codec, tmp_path, monkeypatch
):
    def noisy(triples):
        """The groups differ by far more than the settings do."""
        seed = list(Path(triples[0].generated).parent.name.encode())
        groups = list(np.exp(np.random.default_rng(seed).normal(0, 1, 3)))
        value = float(np.exp(1e-3 * np.random.default_rng(seed).normal()))
        found = report(value, value, groups, groups)
        return found | {"headline": False, "silent": {"generated": 0}}

    run(folder, tmp_path, monkeypatch, noisy)
    page = (tmp_path / "tune.md").read_text()
    assert UNCLEAR in page and "steps 1/1" in page.split("##")[0]


def test_what_is_worse_elsewhere_is_not_written(
    folder, own_codec, tmp_path, monkeypatch
):
    def misled(triples):
        """Elsewhere, far from the optimum is better."""
        found = by_settings(triples)["metrics"]["mirdd"]["value"]
        is_check = "check" in str(triples[0].generated)
        value = 1 / found if is_check else found
        return report(value, value) | {"headline": False, "silent": {"generated": 0}}

    release.replace_decode(folder, to_json(START))
    run(folder, tmp_path, monkeypatch, misled, write=True)
    assert "worse beyond two standard errors" in (tmp_path / "tune.md").read_text()
    assert release.read_config(folder)["decode"] == to_json(START)


def test_only_a_release_of_the_user_s_own_is_written_to(folder, tmp_path):
    (tmp_path / "run.json").write_text("{}")
    bundled = release.PRETRAINED / "stemgen-mini"
    for name, reason in (
        ("stemgen-mini", "bundled, and not written to"),
        ("bundled", "bundled, and not written to"),
        (str(bundled), "bundled, and not written to"),
        (str(tmp_path), "no release folder; make one of a workdir with"),
        (str(tmp_path / "none"), "no such folder"),
    ):
        with pytest.raises(UserError, match=reason) as raised:
            command.check(Tune(checkpoint=name, data="d", write=True))
        assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match="no codec of format 1"):
        release.own_release(folder, kind="codec")


@pytest.mark.parametrize(
    "flags, reason",
    [
        ({"shard": "0/2"}, "--shard"),
        ({"passes": 0}, "--passes 0"),
        ({"check_split": "validation"}, "--check-split"),
        ({"write": True}, "a trial is not written"),
        ({"write": True, "data": "d", "fast": True}, "a trial is not written"),
    ],
)
def test_flags_that_cannot_be(flags, reason):
    with pytest.raises(UserError, match=reason):
        command.check(Tune(**flags))
