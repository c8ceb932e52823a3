"""Phrases that may not return to the sources and pages, because readers stumbled on them.

The test builds each phrase from parts, so that this file does not contain it.
"""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PHRASES = [
    " ".join(parts)
    for parts in (
        ("of its variations", "that which was asked for"),
        ("no step is best", "and none the last"),
        ("a dry run without data", "is of the faster source"),
        ("nobody", "is asked"),
        ("much of it", "comes again"),
        ("a model near it", "wins by resting"),
        ("`--n`", "make it real"),
        ("in its own", "company"),
        ("style,", "rule"),
    )
]
PHRASES += ['"' + "Which" + '."', "contracts" + ".md"]


def normalise(text: str) -> str:
    """Text in lower case, with a space for each line break, indent and comment sign."""
    words = (word for word in text.lower().split() if word != "#")
    return " ".join(words)


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Normalised text of each tracked file, by path; binary files are left out."""
    run = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if run.returncode:
        pytest.skip("not a git checkout")
    texts = {}
    for name in run.stdout.decode().split("\0"):
        path = ROOT / name
        if not name or not path.is_file() or path.is_symlink():
            continue
        data = path.read_bytes()
        if b"\0" not in data[:8_000]:
            texts[name] = normalise(data.decode(errors="replace"))
    return texts


@pytest.mark.parametrize("phrase", PHRASES, ids=range(len(PHRASES)))
def test_no_file_holds_the_phrase(texts, phrase):
    assert texts
    assert not [name for name, text in texts.items() if normalise(phrase) in text]


def test_a_phrase_over_two_lines_is_found():
    text = "# a model near it\n    # wins by resting; more"
    assert normalise(PHRASES[5]) in normalise(text)
