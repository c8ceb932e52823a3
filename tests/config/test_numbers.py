"""Ranges of numbers, for Python and for the command line."""

import dataclasses
import math
import typing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stemjax.config import numbers
from stemjax.config.codec import CodecConfig
from stemjax.config.decode import DecodeConfig
from stemjax.config.model import TransformerConfig
from stemjax.config.runs import StemGenRun
from stemjax.config.train import LoopConfig, MeshConfig, OptimConfig, PairConfig

quick = settings(max_examples=100, deadline=None, derandomize=True)
ALL = {
    name: kind
    for name, kind in vars(numbers).items()
    if typing.get_origin(kind) is typing.Annotated
}
NONE_OF_FLOAT = st.sampled_from([math.nan, math.inf, -math.inf, True, None, "1", 1j])


def limits_of(kind) -> numbers.NumberRange:
    return typing.get_args(kind)[1]


@pytest.mark.parametrize(
    ("kind", "inside", "outside"),
    [
        (numbers.Seed, (0, 2**31 - 1), (-1, 2**31, 2**32, 0.5, True)),
        (numbers.Count, (1, 2**31 - 1), (0, -1, 2**31, 1.0)),
        (numbers.Amount, (0,), (-1,)),
        (numbers.Steps, (1, 2047), (0, 2048)),
        (numbers.Examples, (4,), (3,)),
        (numbers.Port, (1, 65_535), (0, 65_536)),
        (numbers.Positive, (5e-324, 3, 1e300), (0, -1.0)),
        (numbers.NonNegative, (0, 1e300), (-5e-324,)),
        (numbers.Portion, (5e-324, 1), (0, 1.0001)),
        (numbers.Fraction, (0, 1, 0.5), (-0.1, 1.1)),
        (numbers.Decay, (0, 0.9999999), (1, -0.1)),
        (numbers.ClipSeconds, (1, 3600), (0.9, 3600.1)),
        (numbers.Seconds, (0, 3600), (-0.1, 3601)),
        (numbers.Devices, (-1, 1), (-2,)),
    ],
)
def test_the_ends_of_each_range(kind, inside, outside):
    for value in inside:
        numbers.check_number(kind, value, "x")
    for value in outside:
        with pytest.raises(ValueError, match=f"x {value}: give "):
            numbers.check_number(kind, value, "x")


@quick
@given(st.sampled_from(sorted(ALL)), st.integers() | st.floats() | NONE_OF_FLOAT)
def test_python_and_the_command_line_accept_the_same_numbers(name, value):
    limits = limits_of(ALL[name])
    if type(value) not in (int, float):
        assert not limits.holds(value)
        return
    try:
        parsed = limits.parse(repr(value))
    except ValueError as error:
        assert str(error) == f"{value!r}: give {limits.words}"
        parsed = None
    is_kind = limits.kind is float or type(value) is int
    assert (parsed is not None) == (is_kind and limits.holds(value))
    if parsed is not None:
        assert parsed == value and type(parsed) is limits.kind
        assert math.isfinite(parsed)


@quick
@given(st.text())
def test_a_text_is_a_number_of_the_range_or_an_error(text):
    for kind in (numbers.Seed, numbers.Positive):
        limits = limits_of(kind)
        try:
            assert limits.holds(limits.parse(text))
        except ValueError as error:
            assert str(error).endswith(f"give {limits.words}")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DecodeConfig(temperature=math.nan), "temperature nan: give a number"),
        (lambda: DecodeConfig(scales=(1.0, math.inf)), "scales inf: give a finite"),
        (lambda: DecodeConfig(steps=(8, 0)), "steps 0: give a whole number from 1 to"),
        (lambda: DecodeConfig(steps=()), "steps: give one number or more"),
        (lambda: DecodeConfig(top_p=0.0), "top_p 0.0: give a number above 0"),
        (lambda: DecodeConfig(w_rand="loud"), "w_rand loud: give a finite number"),
        (lambda: OptimConfig(peak_lr=math.nan), "peak_lr nan"),
        (lambda: LoopConfig(accumulate=0), "accumulate 0"),
        (lambda: MeshConfig(data=-2), "data -2"),
        (lambda: PairConfig(silence_db=-math.inf), "silence_db -inf"),
        (lambda: CodecConfig(upsampling_ratios=(8, 0)), "upsampling_ratios 0"),
        (lambda: TransformerConfig(heads=0), "heads 0"),
        (lambda: StemGenRun(steps=-3, batch_size=1), "steps -3"),
        (lambda: StemGenRun(steps=1, batch_size=1, seed=2**32), "seed 4294967296"),
    ],
)
def test_settings_made_in_python_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_number_without_a_type_of_its_own_is_finite():
    @dataclasses.dataclass(frozen=True)
    class Setting(numbers.CheckedNumbers):
        level: float = 0.0
        parts: tuple[float, str] = (0.0, "a")
        limit: float | None = None
        mixed: int | str = "text"

    Setting(level=3, limit=2.0, mixed="other")
    for changed in ({"level": math.nan}, {"parts": (math.inf, "a")}, {"limit": "x"}):
        with pytest.raises(ValueError, match="give a finite number"):
            Setting(**changed)
