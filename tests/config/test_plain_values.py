"""Values of a file with the types of a dataclass's fields."""

import dataclasses
import math

import pytest

from stemjax.config.model import INSTRUMENT, Condition, ConditionKind, Precision
from stemjax.config.plain_values import from_json

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
    (int, 1.5, "1.5 should be int"),
    (int, 1.0, "1.0 should be int"),
    (int, True, "True should be int"),
    (float, False, "False should be float"),
    (float, "1", "'1' should be float"),
    (float, math.inf, "inf is not a finite number"),
    (bool, 1, "1 should be bool"),
    (str, 1, "1 should be str"),
    (tuple[int, ...], 3, "3 should be a list"),
    (tuple[int, ...], "12", "'12' should be a list"),
    (tuple[int, ...], [1, "2"], "'2' should be int"),
    (tuple[int, int], [1], "[1] should have 2 values"),
    (Precision, "half", "'half' is not a valid Precision: one of auto, float32"),
    (Precision, ["auto"], "['auto'] is not a valid Precision"),
    (Condition, "tempo", "'tempo' should be a table"),
    (Condition, {"name": "a", "kind": "vector", "width": 1}, "no field 'width'"),
    (Condition, {"name": "a", "kind": "vector"}, "needs a field 'size'"),
]


@pytest.mark.parametrize("hint, value, message", FAULTS)
def test_what_does_not_fit_is_named(hint, value, message):
    with pytest.raises(ValueError) as caught:
        from_json(hint, value)
    assert message in str(caught.value)


def test_defaults_of_a_table_need_not_be_given():
    @dataclasses.dataclass(frozen=True)
    class Point:
        x: int = 1
        y: list = dataclasses.field(default_factory=list)

    assert from_json(Point, {"x": 2}) == Point(2, [])
