"""One page of results, made of the pages that the commands wrote and of nothing else.

Words may stand before them, but no number of their own: what is quoted has to be on the
page as it was printed.
"""

import json
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from stemjax.eval import code_use, codec_table
from stemjax.eval.commands import context_gain
from stemjax.io.errors import UserError

DECIMAL = re.compile(r"(?<![\w.])(\d+\.\d+)(?!\w|\.\d)")


class Part(NamedTuple):
    """One kind of result."""

    file: str
    """Its name in a folder of results."""
    page: Callable[[str], str]
    """The file's text to markdown that begins with a heading."""
    pictures: str
    """Pattern of pictures beside it; "": it has none."""


def _context_gain_page(text: str) -> str:
    report = json.loads(text)
    of = report["checkpoint"]
    return (
        f"# Context gain of {of['name']} {of['version']}, split {report['split']}\n\n"
        f"```\n{context_gain.table(report)}\n```\n"
    )


def _codec_page(text: str) -> str:
    report = json.loads(text)
    rows = [codec_table.Row(**row) for row in report["rows"]]
    return (
        f"# Codec {report['codec']['name']}, {report['clips']} clips of"
        f" {report['seconds']:g} s, split {report['split']}\n\n"
        + codec_table.markdown(rows)
        + "\n"
        + code_use.markdown([code_use.LevelUse(**level) for level in report["levels"]])
    )


def _as_it_is(text: str) -> str:
    return text


PARTS = (
    Part("listening.md", _as_it_is, "listening.png"),
    Part("context_gain.json", _context_gain_page, ""),
    Part("tables.md", _as_it_is, "table?_n*.png"),
    Part("tune.md", _as_it_is, "frontier.png"),
    Part("sweep.md", _as_it_is, "sweep*.png"),
    Part("report.md", _as_it_is, "report.png"),
    Part("codec_table.json", _codec_page, "codec_table.png"),
)
"""In the order of the page."""


class Found(NamedTuple):
    """A result that was found."""

    name: str
    """Of its folder below the one that was searched; "": that folder."""
    page: str
    pictures: tuple[pathlib.Path, ...]


def find(folder: pathlib.Path) -> list[Found]:
    """The results of a folder and those below it, in the order of the page.

    Raises:
      UserError: no such folder, nothing in it, or a file that is no result.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give where the commands wrote")
    found = []
    for part in PARTS:
        for file in sorted(folder.rglob(part.file)):
            try:
                page = part.page(file.read_text(encoding="utf-8"))
            except (ValueError, KeyError, TypeError):
                raise UserError(
                    f"{file}: no result of this version; measure again"
                ) from (None)
            pictures = sorted(file.parent.glob(part.pictures)) if part.pictures else ()
            name = file.parent.relative_to(folder).as_posix()
            found.append(Found("" if name == "." else name, page, tuple(pictures)))
    if not found:
        names = ", ".join(part.file for part in PARTS)
        raise UserError(f"{folder}: none of {names}; measure with --out there")
    return found


def picture_name(found: Found, picture: pathlib.Path) -> str:
    """A picture's name among those of all results."""
    folder = found.name.replace("/", "-")
    return f"{folder}-{picture.name}" if folder else picture.name


def page(found: Sequence[Found], words: str, pictures: str) -> str:
    """All results below one heading.

    words: markdown to stand before them.  pictures: their folder, relative to the page.

    Raises:
      UserError: words with a decimal number that no result holds.
    """
    headings = [part.page.partition("\n")[0] for part in found]
    body = "\n".join(
        line
        for part, heading in zip(found, headings, strict=True)
        for line in (
            demoted(_told_apart(part) if headings.count(heading) > 1 else part.page),
            *(
                f"![{picture.stem}]({pictures}/{picture_name(part, picture)})\n"
                for picture in part.pictures
            ),
        )
    )
    check_words(words, body)
    intro = (
        "Every number below was printed by the command that its section names; this page"
        " is put together by `python evaluate.py results`."
    )
    parts = ["# Results", "", intro, "", *([words.strip(), ""] if words else []), body]
    return "\n".join(parts)


def _told_apart(part: Found) -> str:
    """The page, its folder's name behind its heading."""
    heading, end, rest = part.page.partition("\n")
    return f"{heading} ({part.name}){end}{rest}" if part.name else part.page


def demoted(text: str) -> str:
    """Markdown with its headings one level lower; code is left as it is."""
    lines, is_code = [], False
    for line in text.splitlines():
        is_code ^= line.startswith("```")
        lines.append(f"#{line}" if line.startswith("#") and not is_code else line)
    return "\n".join(lines) + "\n"


def check_words(words: str, body: str) -> None:
    """That every decimal number of the words is one that was measured.

    Raises:
      UserError: one that is not.
    """
    there = {match[1] for match in DECIMAL.finditer(body)}
    for match in DECIMAL.finditer(words):
        if match[1] not in there:
            raise UserError(
                f"--words: {match[1]} is not printed by any of the results; quote a"
                " number as it stands there"
            )
