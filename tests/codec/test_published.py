"""Published weights: names, spellings, refused values, and torch's golden results."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from stemjax import codec
from stemjax.codec import import_published, names
from stemjax.config.codec import CodecConfig, PadMode
from stemjax.io.errors import UserError
from tests.codec.make_golden import CASES, GOLDEN, LENGTHS

DIRECTION = ".parametrizations.weight.original1"
SCALE = ".parametrizations.weight.original0"


@pytest.fixture(scope="module", params=list(CASES))
def case(request):
    """The codec of a published folder, and audio, codes and output of transformers."""
    folder = GOLDEN / request.param
    return codec.load(folder), load_file(folder / "io.safetensors")


def test_golden_codes_are_many(case):
    _, arrays = case
    codes = arrays[f"codes_{LENGTHS[0]}"]
    assert all(len(np.unique(codes[:, q])) >= 24 for q in range(codes.shape[1]))
    assert arrays[f"decoded_{LENGTHS[0]}"].std() > 1e-2


@pytest.mark.parity
def test_codes_are_those_of_transformers():
    same = total = 0
    for name in CASES:
        loaded = codec.load(GOLDEN / name)
        arrays = load_file(GOLDEN / name / "io.safetensors")
        for samples in LENGTHS:
            got = loaded.encode(arrays[f"audio_{samples}"])
            wanted = arrays[f"codes_{samples}"]
            assert got.shape == wanted.shape == (2, 3, -(-samples // 40))
            same, total = same + (got == wanted).sum(), total + wanted.size
    # a code may flip where two are equally near to float32's last digits, and the
    # levels after it follow: 2 of 2,916 here, in one frame
    assert same / total >= 0.999


@pytest.mark.slow
@pytest.mark.parity
def test_decoded_audio_is_that_of_transformers(case):
    loaded, arrays = case
    for samples in LENGTHS:
        got = loaded.decode(arrays[f"codes_{samples}"])
        # another order of float32 sums of order 1; the bound is 1e-4
        np.testing.assert_allclose(got, arrays[f"decoded_{samples}"], atol=2e-5)


def test_the_config_is_read_from_the_file_beside_the_weights():
    cfg = codec.load(GOLDEN / "causal").config
    assert cfg == CodecConfig(
        num_filters=2,
        hidden_size=8,
        codebook_size=64,
        num_codebooks=3,
        upsampling_ratios=(5, 4, 2),
        use_causal_conv=True,
        use_conv_shortcut=True,
        trim_right_ratio=0.4,
        pad_mode=PadMode.CONSTANT,
        num_lstm_layers=1,
        num_residual_layers=2,
        kernel_size=5,
    )


def test_all_names_and_shapes_of_the_published_32_khz_codec():
    wanted = {}
    for line in (GOLDEN / "encodec32k_keys.txt").read_text().splitlines():
        name, shape, _ = line.split("\t")
        if not name.endswith(SCALE):
            wanted[name.replace(DIRECTION, ".weight")] = tuple(json.loads(_list(shape)))
    assert len(wanted) == 88
    assert names.public_shapes(CodecConfig()) == wanted


def _list(shape: str) -> str:
    return shape.replace("(", "[").replace(",)", "]").replace(")", "]")


@pytest.fixture
def published(tmp_path) -> pathlib.Path:
    """A copy of a published folder, to be damaged."""
    return pathlib.Path(shutil.copytree(GOLDEN / "published", tmp_path / "published"))


def rewrite(folder: pathlib.Path, change) -> None:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path)


@pytest.mark.parametrize("spelling", ["weight_g", "plain"])
def test_other_spellings_give_the_same_weights(published, spelling):
    _, wanted, _ = import_published.read_published(GOLDEN / "published")

    def change(flat):
        if spelling == "plain":
            return names.to_public(wanted)
        return {
            k.replace(SCALE, ".weight_g").replace(DIRECTION, ".weight_v"): v
            for k, v in flat.items()
        }

    rewrite(published, change)
    keys = load_file(published / "model.safetensors")
    assert any(k.endswith("weight_g") for k in keys) == (spelling == "weight_g")
    assert not any("parametrizations" in k for k in keys)
    _, got, _ = import_published.read_published(published)
    got, wanted = names.to_public(got), names.to_public(wanted)
    assert got.keys() == wanted.keys()
    for name in wanted:
        np.testing.assert_array_equal(got[name], wanted[name])


def test_weight_norm_runs_over_all_but_the_first_dimension():
    direction = np.arange(1.0, 13.0, dtype=np.float32).reshape(2, 3, 2)
    scale = np.array([2.0, 3.0], np.float32).reshape(2, 1, 1)
    folded = import_published.fold_weight_norm(
        {"x.conv.weight_v": direction, "x.conv.weight_g": scale}
    )
    norms = np.sqrt((folded["x.conv.weight"] ** 2).sum((1, 2)))
    np.testing.assert_allclose(norms, [2.0, 3.0], rtol=1e-6)
    ratio = folded["x.conv.weight"] / direction
    assert np.ptp(ratio[0]) < 1e-6 and np.ptp(ratio[1]) < 1e-6


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("norm_type", "time_group_norm"),
        ("normalize", True),
        ("chunk_length_s", 1.0),
        ("audio_channels", 2),
        ("pad_mode", "circular"),
        ("codebook_dim", 4),
        ("trim_right_ratio", 0.5),
        ("model_type", "dac"),
        ("upsampling_ratios", "8,5"),
        ("codebook_size", 0),
    ],
)
def test_unsupported_values_are_refused_by_name(published, field, value):
    path = published / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    with pytest.raises(UserError) as error:
        import_published.read_published(published)
    message = str(error.value)
    assert str(path) in message and "\n" not in message
    if field not in ("upsampling_ratios", "codebook_size"):
        assert field in message and repr(value) in message


def test_weights_without_a_config_are_refused(published):
    (published / "config.json").unlink()
    with pytest.raises(UserError, match="no config.json"):
        codec.load(published)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda f: {k: v for k, v in f.items() if k != "decoder.layers.0.conv.bias"},
            "no tensor decoder.layers.0.conv.bias",
        ),
        (lambda f: f | {"head.weight": np.zeros(1)}, "unknown tensor head.weight"),
        (
            lambda f: f | {"encoder.layers.0.conv.bias": np.zeros(3, np.float32)},
            r"encoder.layers.0.conv.bias is \(3,\), not \(2,\)",
        ),
    ],
)
def test_weights_that_do_not_fit_their_config_are_refused(published, change, message):
    rewrite(published, change)
    with pytest.raises(UserError, match=message):
        codec.load(published)


def test_a_conversion_is_a_release_with_the_same_codes(tmp_path):
    config = import_published.convert(GOLDEN / "published", tmp_path / "ours")
    assert (config["kind"], config["name"]) == ("codec", "ours")
    theirs, ours = codec.load(GOLDEN / "published"), codec.load(tmp_path / "ours")
    assert ours.config == theirs.config and ours.name == "ours"
    flat = load_file(tmp_path / "ours" / "model.safetensors")
    assert set(flat) == set(names.public_shapes(ours.config))
    for name, array in names.to_public(theirs.variables).items():
        np.testing.assert_array_equal(flat[name], array)


def test_a_conversion_in_place_is_refused(published):
    with pytest.raises(UserError, match="is the imported folder"):
        import_published.convert(published, published)
    assert (published / "config.json").is_file()
