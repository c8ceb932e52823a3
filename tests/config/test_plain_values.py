"""Values of a file with the types of a dataclass's fields."""

import dataclasses
import math

import pytest

from stemjax.config.codec import AnyCodecConfig, CodecConfig, OscillatorCodecConfig
from stemjax.config.model import (
    INSTRUMENT,
    Condition,
    ConditionKind,
    Precision,
    StemGenConfig,
)
from stemjax.config.plain_values import FieldError, digest_of, from_json, to_json

WHOLE = [
    (int, 3, 3),
    (float, 3, 3.0),
    (float, 0.5, 0.5),
    (bool, True, True),
    (str, "a", "a"),
    (float | None, None, None),
    (float | None, 2, 2.0),
    (tuple[int, ...], [1, 2], (1, 2)),
    (tuple[int, ...], (), ()),
    (tuple[float, int], [1, 2], (1.0, 2)),
    (tuple[tuple[float, ...], ...], [[1], [2, 3]], ((1.0,), (2.0, 3.0))),
    (Precision, "bfloat16", Precision.BFLOAT16),
    (Precision, Precision.AUTO, Precision.AUTO),
    (tuple[Condition, ...], (INSTRUMENT,), (INSTRUMENT,)),
    (dict[str, float], {"a": 1}, {"a": 1.0}),
    (int | str, "best", "best"),
    (float | str, 2, 2.0),
    (
        Condition,
        {"name": "tempo", "kind": "vector", "size": 2},
        Condition(name="tempo", kind=ConditionKind.VECTOR, size=2),
    ),
]


@pytest.mark.parametrize("hint, value, wanted", WHOLE)
def test_what_fits_gets_the_fields_type(hint, value, wanted):
    got = from_json(hint, value)
    assert got == wanted and type(got) is type(wanted)
    if isinstance(wanted, tuple):
        assert [type(x) for x in got] == [type(x) for x in wanted]


FAULTS = [
    (int, 1.5, "expected an integer, got 1.5"),
    (int, 1.0, "expected an integer, got 1.0"),
    (int, True, "expected an integer, got true"),
    (float, False, "expected a number, got false"),
    (float, "1", 'expected a number, got "1"'),
    (float, None, "expected a number, got null"),
    (float, math.inf, "inf is not a finite number"),
    (float, 10**400, "the number is too large"),
    (bool, 1, "expected true or false, got 1"),
    (str, 1, "expected a text, got 1"),
    (str, {"a": 1}, "expected a text, got a table"),
    (str | None, 1, "expected a text, got 1"),
    (int | str, [1], "expected a text or an integer, got a list"),
    (tuple[int, ...], 3, "expected a list, got 3"),
    (tuple[int, ...], "12", 'expected a list, got "12"'),
    (tuple[int, ...], [1, "2"], 'field [1]: expected an integer, got "2"'),
    (tuple[int, int], [1], "expected 2 values, got 1"),
    (dict[str, float], {"a": "x"}, 'field a: expected a number, got "x"'),
    (dict[str, float], [], "expected a table, got a list"),
    (Precision, "half", 'expected one of auto, float32, bfloat16, got "half"'),
    (Precision, ["auto"], "expected one of auto, float32, bfloat16, got a list"),
    (Condition, "tempo", 'expected a table, got "tempo"'),
    (Condition, {"name": "a", "kind": "vector", "width": 1}, "field width: unknown"),
    (Condition, {"name": "a", "kind": "vector"}, "field size: missing"),
    (int, "x" * 99, f'got "{"x" * 39}...'),
    (
        StemGenConfig,
        {"conditions": [{"name": "a", "kind": "vector", "size": None}]},
        "field conditions[0].size: expected an integer, got null",
    ),
    (
        StemGenConfig,
        {"transformer": {"width": 3}},
        "field transformer: width 3 must be a multiple of 2 x heads = 32",
    ),
]


@pytest.mark.parametrize("hint, value, message", FAULTS)
def test_what_does_not_fit_is_named(hint, value, message):
    with pytest.raises(FieldError) as caught:
        from_json(hint, value)
    assert message in str(caught.value)


def test_a_union_of_tables_is_read_as_the_one_with_the_most_fields():
    both = [CodecConfig(), OscillatorCodecConfig()]
    assert [from_json(AnyCodecConfig, to_json(codec)) for codec in both] == both
    with pytest.raises(FieldError, match="field bands: expected a list, got 3"):
        from_json(AnyCodecConfig, to_json(OscillatorCodecConfig()) | {"bands": 3})


def test_a_digest_depends_on_what_differs_from_the_defaults_alone():
    one = digest_of(CodecConfig(hidden_size=8))
    assert one == digest_of(CodecConfig(hidden_size=8, compress=2))
    assert one != digest_of(CodecConfig(hidden_size=9))

    @dataclasses.dataclass(frozen=True)
    class Older:
        size: int = 3

    @dataclasses.dataclass(frozen=True)
    class Newer:
        size: int = 3
        bands: tuple[Older, ...] = ()

    assert digest_of(Older(4)) == digest_of(Newer(4))
    assert digest_of(Newer(4, (Older(3),))) != digest_of(Newer(4))


def test_defaults_of_a_table_need_not_be_given():
    @dataclasses.dataclass(frozen=True)
    class Point:
        x: int = 1
        y: list = dataclasses.field(default_factory=list)

    assert from_json(Point, {"x": 2}) == Point(2, [])
