"""The documentation's example of another codec's tokens, run and trained on."""

import re

import pytest

from stemjax.data.tokens.store import open_tokens
from stemjax.train import metrics
from tests.entry.programs import ROOT, run

pytestmark = pytest.mark.entry


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """What the page's Python writes, at a path of the test's."""
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    folder = tmp_path_factory.mktemp("docs") / "tokens-dac"
    assert example.count('"tokens-dac"') == 1
    script = folder.with_name("example.py")
    script.write_text(example.replace('"tokens-dac"', repr(str(folder))))
    run("-c", f"exec(open({str(script)!r}).read())")
    return folder


def test_the_example_of_the_docs_trains(store, tmp_path):
    opened = open_tokens(store)
    opened.verify()
    assert (opened.entries, opened.frames) == (18, 860)
    work = tmp_path / "w"
    settings = ["--steps", 2, "--loop.eval-every", 1, "--loop.clips-every", 1]
    command = ["train.py", "stemgen-tiny", "--data", store, "--workdir", work]
    made = run(*command, *settings)
    assert "no clips are decoded" in made.stdout
    assert not (work / "clips").exists()
    lines = metrics.read_lines(work / "metrics.jsonl")
    assert [line["step"] for line in lines] == [1, 2]
    # codes are uniform over 1024: an untrained model knows no better than log 1024
    assert abs(lines[0]["loss"] - 6.93) < 0.7
    saved = (work / "run.json").read_text()
    for said in ('"num_codebooks": 9', '"codebook_size": 1024', '"dac-44khz"'):
        assert said in saved
