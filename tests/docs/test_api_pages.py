"""The API reference builds from the docstrings, without warnings."""

import pytest

from docs.build_api import build, public_modules


@pytest.mark.slow
def test_every_public_module_has_a_page(tmp_path):
    pytest.importorskip("pdoc")
    build(tmp_path)
    for module in public_modules():
        page = tmp_path / f"{module.replace('.', '/')}.html"
        assert module in page.read_text()
    assert (tmp_path / "index.html").is_file()
