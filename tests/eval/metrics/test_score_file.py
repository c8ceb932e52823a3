"""metrics.json: one line that names the field that is wrong."""

import copy
import json

import pytest

from stemjax.eval.metrics.score_file import read_score
from stemjax.io.errors import UserError

ENTRY = {"id": "FAD[vggish]", "value": 3.5, "se": 0.1, "corrected": 3.4}
SCORE = {
    "format": 1,
    "n": 8,
    "ids": "a",
    "references": "b",
    "seed": 0,
    "headline": False,
    "silent": {"generated": 1, "real": 0, "dropped": 0},
    "metrics": {"fad": ENTRY | {"groups": [3.0, 4.0], "sizes": [4, 4], "status": "ok"}},
    "cells": [{"more": 1}],
}
FAULTS = [
    (("n",), "many", 'field n: expected an integer, got "many"; run `stemjax evaluate'),
    (("n",), 0, "n must be 1 or more, got 0"),
    (("silent", "real"), None, "field silent.real: expected a number, got null"),
    (("metrics",), [], "field metrics: expected a table, got a list"),
    (("metrics", "fad"), 3, "field metrics.fad: expected a table, got 3"),
    (("metrics", "fad", "value"), "low", "field metrics.fad.value: expected a number"),
    (("metrics", "fad", "value"), None, "a metric without a value needs a reason"),
    (("metrics", "fad", "groups"), [1.0], "field metrics.fad: 1 groups, 2 sizes"),
    (("metrics", "fad", "null"), {"median": 1}, "metrics.fad.null.p95: missing"),
    (("format",), 99, "not a score of this version"),
]


@pytest.mark.parametrize("names, value, said", FAULTS)
def test_a_wrong_field_is_named(tmp_path, names, value, said):
    score = copy.deepcopy(SCORE)
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(score))
    assert read_score(tmp_path) == score
    holder = score
    for name in names[:-1]:
        holder = holder[name]
    holder[names[-1]] = value
    path.write_text(json.dumps(score))
    with pytest.raises(UserError, match="metrics.json: ") as caught:
        read_score(tmp_path)
    assert said in str(caught.value) and "\n" not in str(caught.value)
