"""The page of results: nothing but what was printed, and words that quote it."""

import json

import pytest

from stemjax.eval import results_page
from stemjax.eval.commands.listening_arguments import Results
from stemjax.eval.commands.results import run_results
from stemjax.io.errors import UserError

LISTENING = """# Does it listen?

- 60 examples

| stems | chroma |
| --- | --- |
| generated | 0.612 (0.550 to 0.674) |

## By category

```
# a comment
```
"""
GAIN = {"gain_nats": 0.25, "low": 0.2, "high": 0.3, "n_pairs": 9, "n_songs": 3} | {
    "own_nats": 5.0,
    "other_nats": 5.25,
    "null_nats": 5.5,
}
CONTEXT_GAIN = {
    "unit": "nats per token",
    "weights": "trained",
    "levels": {"1": GAIN | {"over_null": GAIN}},
    "checkpoint": {"name": "mini", "version": "3"},
    "split": "test",
}
CODEC = {
    "codec": {"name": "codec-mini", "sha256": "c"},
    "clips": 4,
    "seconds": 5.0,
    "split": "test",
    "levels": [{"level": 1, "perplexity": 1234.4, "used": 2000, "kept": 0.81}],
    "rows": [
        {"name": "codec", "mel": 0.321, "si_sdr": 1.5, "kbps": 2.2, "clips": 4},
    ],
}


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "outputs"
    (source / "listening").mkdir(parents=True)
    (source / "listening" / "listening.md").write_text(LISTENING)
    (source / "listening" / "listening.png").write_bytes(b"picture")
    (source / "context_gain.json").write_text(json.dumps(CONTEXT_GAIN))
    (source / "codec").mkdir()
    (source / "codec" / "codec_table.json").write_text(json.dumps(CODEC))
    return source


def run(folder, words=""):
    out = folder.parent / "docs" / "results.md"
    run_results(Results(source=str(folder), out=str(out), words=words))
    return out.read_text(), out


def test_every_result_is_on_the_page_in_order_with_its_pictures(folder):
    page, out = run(folder)
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert headings == [
        "# Results",
        "## Does it listen?",
        "### By category",
        "# a comment",
        "## Context gain of mini 3, split test",
        "## Codec codec-mini, 4 clips of 5 s, split test",
    ]
    assert "| generated | 0.612 (0.550 to 0.674) |" in page
    assert "    1 +0.2500  +0.2000 to +0.3000" in page
    assert "| codec | 0.321 | 1.50 | 2.20 | 4 |" in page
    assert "| 1 | 1234 | 2000 | 0.81 |" in page
    assert "![listening](results/listening-listening.png)" in page
    picture = out.parent / "results" / "listening-listening.png"
    assert picture.read_bytes() == b"picture"
    assert run(folder)[0] == page


def test_two_of_a_kind_are_told_apart_by_their_folders(folder):
    (folder / "real" / "codec").mkdir(parents=True)
    text = (folder / "codec" / "codec_table.json").read_text()
    (folder / "real" / "codec" / "codec_table.json").write_text(text)
    page, _ = run(folder)
    assert "## Codec codec-mini, 4 clips of 5 s, split test (codec)" in page
    assert "## Codec codec-mini, 4 clips of 5 s, split test (real/codec)" in page
    assert "## Context gain of mini 3, split test\n" in page


def test_words_quote_what_was_printed_and_nothing_else(folder, tmp_path):
    words = tmp_path / "words.md"
    words.write_text("Chroma is 0.612 on 60 examples (gain +0.2500), codec 32k-1.0x.")
    assert "Chroma is 0.612 on 60" in run(folder, str(words))[0].split("## Does")[0]
    for number in ("0.61", "0.6120", "10.612", "7.5"):
        words.write_text(f"Chroma is {number}.")
        with pytest.raises(UserError, match=f"{number} is not printed"):
            run(folder, str(words))


def test_faults_are_said(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    for source, words in (
        (tmp_path / "none", "no such folder"),
        (tmp_path / "empty", "none of listening.md, context_gain.json"),
    ):
        with pytest.raises(UserError, match=words):
            results_page.find(source)
    (folder / "context_gain.json").write_text("{}")
    with pytest.raises(UserError, match="context_gain.json: no result of this version"):
        run(folder)
    with pytest.raises(UserError, match="give a file such as"):
        run_results(Results(source=str(folder / "listening"), out=str(tmp_path / "x")))
