"""Draws docs/pictures/floors.svg from the table FLOORS of tests/test_floors.py.

python -m docs.draw_floors
"""

import ast
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "pictures" / "floors.svg"
ROOMS = {
    "config": "settings, presets, sweeps",
    "arrays": "functions of one example",
    "io": "files, audio, releases",
    "nn": "layers, axes, mesh",
    "codec": "audio to codes and back",
    "models": "StemGen",
    "decode": "iterative decoding",
    "tasks": "losses and their sums",
    "companions": "smaller models",
    "train": "loop, step, plans, sweeps",
    "analysis": "beats, chords, notes",
    "eval": "metrics, tables, reports",
    "session": "layers, edits, loops",
    "api": "stemjax.load, Model, Result",
    "demo": "the page",
    "cli": "the commands",
    "data": "songs, draws, tokens",
}
WIDTH, LEFT, FLOOR, GAP, PAD = 880, 24, 50, 14, 10
TOWER = 620  # width of the floors; the room `data` stands to the right of them
TOP = 84


def floors() -> list[list[str]]:
    """The floors from the lowest to the highest, each a sorted list of its rooms.

    Rooms without a folder are left out.
    """
    tree = ast.parse((ROOT / "tests" / "test_floors.py").read_text())
    table = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "FLOORS"
    )
    rooms = [sorted(names) for names in ast.literal_eval(table)]
    real = [[n for n in row if (ROOT / "stemjax" / n).is_dir()] for row in rooms]
    return [row for row in real if row]


def box(x: float, y: float, width: float, height: float, room: str, fill: str) -> str:
    """One room: its name and, below it, what it holds."""
    middle, centre = x + width / 2, y + height / 2
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" '
        f'fill="{fill}" stroke="#35506b"/>\n'
        f'<text x="{middle:g}" y="{centre - 3:g}" class="room">{escape(room)}</text>\n'
        f'<text x="{middle:g}" y="{centre + 14:g}" class="note">'
        f"{escape(ROOMS[room])}</text>\n"
    )


def draw() -> str:
    """The picture as SVG."""
    rows = floors()[::-1]  # the highest first
    top = {}  # room -> y of its floor
    body = []
    for number, row in enumerate(rows):
        y = TOP + number * (FLOOR + GAP)
        width = (TOWER - PAD * (len(row) - 1)) / len(row)
        for place, room in enumerate(row):
            top[room] = y
            body.append(
                box(LEFT + place * (width + PAD), y, width, FLOOR, room, "#e8f0f8")
            )
    x = LEFT + TOWER + 56
    width, start = WIDTH - LEFT - x, top["demo"]
    end = top["tasks"] + FLOOR
    body.append(box(x, start, width, end - start, "data", "#f8efe0"))
    right, middle = LEFT + TOWER, x + width / 2
    cli, io, config = (top[room] + FLOOR / 2 for room in ("cli", "io", "config"))
    body += [
        f'<path d="M {right} {cli} H {middle - 20:g} V {start - 2}" fill="none" '
        'stroke="#35506b" stroke-width="1.5" marker-end="url(#tip)"/>\n',
        f'<path d="M {middle - 20:g} {end} V {io} H {right + 3}" fill="none" '
        'stroke="#35506b" stroke-width="1.5" marker-end="url(#tip)"/>\n',
        f'<path d="M {middle + 20:g} {end} V {config} H {right + 3}" fill="none" '
        'stroke="#35506b" stroke-width="1.5" marker-end="url(#tip)"/>\n',
    ]
    height = TOP + len(rows) * (FLOOR + GAP) + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" '
        'aria-label="The rooms of stemjax, floor by floor">\n'
        "<style>text{font-family:DejaVu Sans,Verdana,sans-serif;text-anchor:middle;"
        "fill:#16202a}.room{font-size:15px;font-weight:bold}.note{font-size:11px}"
        ".title{font-size:13px;text-anchor:start}</style>\n"
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="8" refY="5" '
        'markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M 0 0 L 10 5 L 0 10 z" fill="#35506b"/></marker></defs>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n'
        f'<text x="{LEFT}" y="30" class="title">A room of stemjax imports only rooms on '
        "lower floors. No room imports one on its own floor.</text>\n"
        f'<text x="{LEFT}" y="52" class="title">The data room imports io and config '
        "alone; only cli imports it. The root scripts call cli.</text>\n"
        + "".join(body)
        + "</svg>\n"
    )


if __name__ == "__main__":
    PICTURE.write_text(draw())
