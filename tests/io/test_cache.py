"""The user's folders where there is no home or none that can be written to."""

import os
import pathlib

import pytest

from stemjax.cli.evaluate.shared.folders import cache_folder as evaluation_cache
from stemjax.eval.metrics.vggish import weights
from stemjax.io import cache, release
from stemjax.io.errors import UserError
from stemjax.io.remote import as_path


@pytest.fixture
def no_home(monkeypatch):
    """A process without $HOME whose user is not in the table of users."""
    import pwd

    def unknown(*_):
        raise KeyError

    for name in ("HOME", "XDG_CACHE_HOME", "STEMJAX_WEIGHTS", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(pwd, "getpwnam", unknown)


def test_without_a_home_caches_are_temporary(no_home):
    assert cache.home_folder() is None
    folder = cache.cache_folder()
    assert folder.is_absolute() and folder.name == "stemjax"
    assert evaluation_cache("~/.cache/stemjax/eval") == folder / "eval"
    assert not release.own_weights().is_dir()
    assert all(str(place) == weights._shown(place) for place in weights.places())
    assert as_path(__file__).stat().length == os.stat(__file__).st_size
    with pytest.raises(UserError, match="~/x: this user has no home; give a full path"):
        evaluation_cache("~/x")


def test_with_a_home_caches_lie_in_it(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / ".cache" / "stemjax"
    assert evaluation_cache("~/.cache/stemjax/eval") == cache.cache_folder() / "eval"
    assert evaluation_cache("~/x") == tmp_path / "x"
    assert evaluation_cache("x") == pathlib.Path("x")


def test_programs_are_not_kept_where_nothing_can_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    assert cache.use_compilation_cache() is None


def test_numba_gets_a_folder_that_can_be_written_to(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NUMBA_CACHE_DIR", "given")
    cache.use_numba_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == "given"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    cache.use_numba_cache()
    assert os.environ["NUMBA_CACHE_DIR"] == str(tmp_path / "stemjax" / "numba")
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    cache.use_numba_cache()
    assert pathlib.Path(os.environ["NUMBA_CACHE_DIR"]).parent.is_dir()
