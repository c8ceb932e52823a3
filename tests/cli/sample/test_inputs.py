"""What the commands check before they load a model."""

import pytest

from stemjax.cli.sample import inputs
from stemjax.cli.sample.arguments import EditArguments, LayerArguments, SampleArguments
from stemjax.cli.sample.layer import check_context, parse_keep
from stemjax.io.errors import UserError


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"preset": "loudest"}, "--preset loudest: one of best, naive"),
        ({"steps": ()}, "--steps: give one number or more"),
        ({"context": "gone.wav"}, "--context gone.wav: no such file"),
        ({"context": "."}, "--context .: no such file"),
        ({"bpm": 5.0}, "--bpm 5: give 20 to 400"),
        ({"key": "H"}, "--key: 'H' is not a key"),
    ],
)
def test_a_mistake_is_told_before_the_model_is_loaded(changed, message):
    inputs.check_options(SampleArguments(out="o"))
    with pytest.raises(UserError, match=message):
        inputs.check_options(SampleArguments(out="o", **changed))


def test_the_files_of_an_edit_are_looked_for(tmp_path):
    (tmp_path / "a.wav").touch()
    given = {"context": str(tmp_path / "a.wav"), "instrument": "bass", "out": "o"}
    for flag in ("stem", "tokens"):
        with pytest.raises(UserError, match=f"--{flag} gone: no such file"):
            inputs.check_options(EditArguments(**given, **{flag: "gone"}))


def test_layers_have_one_context():
    check_context(LayerArguments(out="o", silence=2.0))
    with pytest.raises(UserError, match="give one of them"):
        check_context(LayerArguments(out="o", silence=2.0, context="a.wav"))
    with pytest.raises(UserError, match="give --context FILE, or --silence"):
        check_context(LayerArguments(out="o"))


def test_the_variation_to_keep_is_a_number_or_the_best():
    assert parse_keep(LayerArguments(out="o")) is None
    assert parse_keep(LayerArguments(out="o", keep="2", variations=3)) == 2
    for keep in ("0", "4", "-1", "²", "best ", "1.0", "", "①"):
        with pytest.raises(UserError, match="give best, or a number from 1 to"):
            parse_keep(LayerArguments(out="o", keep=keep, variations=3))
