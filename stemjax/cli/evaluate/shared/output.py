"""JSON files of `evaluate.py`."""

import json
import os
import pathlib
from typing import Any

from stemjax.eval.metrics.score import FORMAT
from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError

METRICS_FILE = "metrics.json"


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write JSON values with sorted keys, atomically."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def read_score(path: str | os.PathLike) -> dict[str, Any]:
    """Read a score from a JSON file, or from metrics.json of a folder.

    Raises:
      UserError: no such file, or not a score of this version.
    """
    file = pathlib.Path(path)
    file = file / METRICS_FILE if file.is_dir() else file
    try:
        score = json.loads(file.read_text(encoding="utf-8"))
        if score["format"] == FORMAT and "metrics" in score:
            return score
    except OSError:
        raise UserError(
            f"{file}: no such file; run `stemjax evaluate score` first"
        ) from None
    except (ValueError, KeyError, TypeError):
        pass
    raise UserError(
        f"{file}: not a score of this version; run `stemjax evaluate score`"
    )
