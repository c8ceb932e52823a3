"""JSON files of `evaluate.py`."""

import os
import pathlib
from typing import Any

from stemjax.eval.metrics.score import FORMAT
from stemjax.io.errors import UserError
from stemjax.io.json_file import read_as

METRICS_FILE = "metrics.json"


def read_score(path: str | os.PathLike) -> dict[str, Any]:
    """Read a score from a JSON file, or from metrics.json of a folder.

    Raises:
      UserError: no such file, or not a score of this version.
    """
    file = pathlib.Path(path)
    file = file / METRICS_FILE if file.is_dir() else file
    mend = "run `stemjax evaluate score` first"
    score = read_as(dict[str, Any], file, mend=mend)
    if score.get("format") != FORMAT or "metrics" not in score:
        raise UserError(f"{file}: not a score of this version; {mend}")
    return score
