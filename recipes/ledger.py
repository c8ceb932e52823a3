"""What a recipe has done so far: one JSON file in its work folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stemjax.io.atomic import write_text
from stemjax.io.errors import UserError

NAME = "progress.json"
FORMAT = 1


class Ledger:
    """Facts by phase, on the disk after every change.

    `is_whole` of a phase says that it need not run again.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]):
        """Open `path`, or begin it.

        Raises:
          UserError: it is broken, or belongs to a recipe with other settings.
        """
        self.path = path
        self.is_new = not path.is_file()
        self._all = {"format": FORMAT, "settings": dict(settings), "phases": {}}
        if self.is_new:
            return
        saved = read(path)
        for name, value in settings.items():
            if saved["settings"].get(name) != value:
                flag = "--" + name.replace("_", "-")
                raise UserError(
                    f"{path}: made with {flag} {saved['settings'].get(name)}, not"
                    f" {value}: give that or another --work"
                )
        self._all = saved

    def facts(self, phase: str) -> dict[str, Any]:
        """What is known of a phase; empty before it began."""
        return dict(self._all["phases"].get(phase, {}))

    def is_whole(self, phase: str) -> bool:
        """Whether the phase is done."""
        return self.facts(phase).get("is_whole", False)

    def note(self, phase: str, **facts: Any) -> None:
        """Add facts of a phase and write the file."""
        self._all["phases"][phase] = self.facts(phase) | facts
        write_text(self.path, json.dumps(self._all, indent=2) + "\n")


def read(path: Path) -> dict[str, Any]:
    """A ledger's content.

    Raises:
      UserError: missing, broken or of another format.
    """
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing: give what a recipe wrote") from None
    except ValueError:
        raise UserError(f"{path}: not valid JSON; restore it from a copy") from None
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise UserError(f"{path}: not a recipe's record of format {FORMAT}")
    return saved
