"""Builds the API reference build/docs from the docstrings, with pdoc.

    python -m docs.build_api

The public modules are those in the table of docs/api.md.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "docs"


def public_modules() -> list[str]:
    """The modules in the first column of the table of docs/api.md, in order."""
    rows = re.findall(r"^\| (`stemjax.*?) \|", (ROOT / "docs/api.md").read_text(), re.M)
    return [name for row in rows for name in re.findall(r"`([\w.]+)`", row)]


def build(out: Path = OUT) -> None:
    """Write the pages of all public modules and an index below `out`."""
    import pdoc

    pdoc.render.configure(docformat="google", show_source=False)
    pdoc.pdoc(*public_modules(), output_directory=out)


if __name__ == "__main__":
    build()
    print(OUT / "index.html")
