"""Reads the project's Markdown pages: links, code spans, commands, Python blocks."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("stemjax/pretrained/*/README.md"),
        *ROOT.glob("examples/**/*.md"),
    ]
)
HISTORY = ("CHANGELOG.md",)  # names what is gone


class Page(NamedTuple):
    """One page, its code blocks apart from its text."""

    path: Path
    text: str
    """The page without code blocks."""
    blocks: list[tuple[str, str]]
    """(language, code) of each fenced or indented block."""

    @property
    def name(self) -> str:
        """The path below the root of the project."""
        return str(self.path.relative_to(ROOT))

    def links(self) -> list[str]:
        """Targets of all links and pictures."""
        return re.findall(r"\]\(([^)\s]+)\)", self.text)

    def spans(self) -> list[str]:
        """All inline code, line breaks as spaces."""
        return [" ".join(s.split()) for s in re.findall(r"`([^`]+)`", self.text)]

    def slugs(self) -> set[str]:
        """Anchors of the headings, as GitHub makes them."""
        heads = re.findall(r"^#+ (.+)$", self.text, re.M)
        return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}

    def commands(self) -> list[list[str]]:
        """Arguments of every command of the project in the code blocks."""
        lines = []
        for language, code in self.blocks:
            if language not in ("python", "yaml"):
                lines += code.replace("\\\n", " ").splitlines()
        found = [command_in(line) for line in lines]
        return [words for words in found if words]


def read(path: Path) -> Page:
    """Split a page into its text and its code blocks, fenced or indented."""
    text, blocks = [], []
    is_fenced = is_indented = False
    may_indent = True  # after a blank line or a heading
    for line in path.read_text().splitlines():
        if line.startswith("```"):
            is_fenced = not is_fenced
            if is_fenced:
                blocks.append((line[3:], []))
        elif is_fenced:
            blocks[-1][1].append(line)
        elif line.startswith("    ") and (is_indented or may_indent):
            if not is_indented:
                blocks.append(("", []))
            blocks[-1][1].append(line[4:])
        else:
            text.append(line)
        is_indented = not is_fenced and line.startswith("    ")
        may_indent = line == "" or line.startswith("#")
    return Page(
        path,
        "\n".join(text),
        [(language, "\n".join(lines)) for language, lines in blocks],
    )


STARTS = re.compile(
    r"(?:^|[\s;'])(?:\S*/)?(stemjax|python (?:-m (?:stemjax|data)\S*"
    r"|(?:train|sample|evaluate|examples/bundle/bundle)\.py))(?= )"
)


def command_in(line: str) -> list[str]:
    """The words of a command of the project from its name on; [] if there is none.

    Shell variables become the number 1, so that they parse as any type.
    """
    match = STARTS.search(line)
    is_comment = re.match(r" *#", line) or re.search(r"py \W*[$]", line)
    if not match or is_comment or "..." in line:
        return []
    line = line[match.start(1) :]
    line = re.sub(r'"?\$\{?\w+\}?', "1", line).replace('"', "").replace("'", "")
    line = re.split(r" [|;] | && ", line)[0]
    words = shlex.split(line, comments=True)
    if words[0] == "python":
        words = words[2:] if words[1] == "-m" else words[1:]
    return words
