"""Loading a release: one line for each field, weight or codec that is wrong."""

import json
import shutil

import numpy as np
import pytest

import stemjax
from stemjax import codec
from stemjax.io.errors import UserError
from stemjax.io.release import PRETRAINED
from stemjax.io.weights import load_safetensors, save_safetensors


@pytest.fixture
def copied(release, tmp_path):
    return shutil.copytree(release, tmp_path / "copy")


def change(path, *names, to):
    """Change one field of a JSON file, named by its path."""
    content = json.loads(path.read_text())
    holder = content
    for name in names[:-1]:
        holder = holder[name]
    holder[names[-1]] = to
    path.write_text(json.dumps(content))


FIELDS = [
    (("model",), 3, "field model: expected a table, got 3; copy it again"),
    (
        ("model", "transformer", "width"),
        "wide",
        "field model.transformer.width: expected",
    ),
    (
        ("model", "transformer", "layers"),
        10**9,
        "transformer: layers 1000000000: give a whole number from 1 to 1000",
    ),
    (("model", "conditions"), [{}], r"model.conditions\[0\].name: missing"),
    (
        ("model", "num_codebooks"),
        0,
        "model: num_codebooks 0: give a whole number",
    ),
    (("model", "joint"), None, "field model.joint: expected true or false, got null"),
    (("codec",), "codec", 'field codec: expected a table, got "codec"'),
    (("codec", "name"), "", "field codec: name is empty"),
    (("codec", "sha256"), "0" * 64, "its codec is 'codec' .000000000000, config"),
    (("codec", "config_sha256"), "0" * 64, "config 000000000000.*; give that codec"),
    (("decode", "steps"), [], "field decode: steps: give one"),
    (("decode", "scales"), [1, "x"], r"field decode.scales\[1\]: expected a number"),
    (("categories",), ["piano"], "its category table is not that of this version"),
    (("trained_frames",), -1, "trained_frames -1: give a whole number"),
    (
        ("trained_frames",),
        {"a": {"b": 1}},
        "trained_frames: expected an integer, got a",
    ),
    (("mood",), 1, "field mood: unknown"),
    (("model", "transformer", "layers"), 5, "has no tensor backbone"),
]


@pytest.mark.parametrize("names, value, said", FIELDS)
def test_a_wrong_field_is_named(copied, names, value, said):
    change(copied / "config.json", *names, to=value)
    with pytest.raises(UserError, match=said) as caught:
        stemjax.load(copied)
    assert str(copied) in str(caught.value) and "\n" not in str(caught.value)


WEIGHTS = {
    "surplus": (lambda w: w | {"x": np.ones(1, np.float32)}, "an unknown tensor x"),
    "missing": (lambda w: dict(list(w.items())[1:]), "has no tensor"),
    "shape": (lambda w: {k: v[None] for k, v in w.items()}, r"is \(1, .*, not"),
    "type": (lambda w: {k: v.astype(np.int32) for k, v in w.items()}, "is int32, not"),
    "NaN": (lambda w: {k: v * np.float32("nan") for k, v in w.items()}, "not finite"),
}


@pytest.mark.parametrize("harm, said", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("folder", [".", "codec"])
def test_weights_that_do_not_fit_are_named(copied, harm, said, folder):
    path = copied / folder / "model.safetensors"
    save_safetensors(path, harm(load_safetensors(path)))
    load = stemjax.load if folder == "." else codec.load
    with pytest.raises(UserError, match=f"{said}.*; config.json and the weights must"):
        load(copied / folder)


def test_a_codec_with_the_same_weights_and_another_config_is_another_codec(copied):
    """Its codes mean other audio, though no shape tells."""
    config = json.loads((copied / "codec" / "config.json").read_text())
    other = {"reflect": "constant"}.get(config["model"]["pad_mode"], "reflect")
    change(copied / "codec" / "config.json", "model", "pad_mode", to=other)
    with pytest.raises(UserError, match="its codec is 'codec' .*give that codec with"):
        stemjax.load(copied)
    content = json.loads((copied / "config.json").read_text())
    del content["codec"]["config_sha256"]  # of an earlier version: not compared
    (copied / "config.json").write_text(json.dumps(content))
    assert stemjax.load(copied).codec.config.pad_mode.value == other


def test_the_bundled_model_names_the_config_of_its_codec():
    reference = stemjax.load("stemgen-mini").codec.reference
    config = json.loads((PRETRAINED / "stemgen-mini/config.json").read_text())
    assert config["codec"] == {
        "name": reference.name,
        "sha256": reference.sha256,
        "config_sha256": reference.config_sha256,
    }
