"""The user's folders: home, and the cache of programs and of copies of remote files.

A service in a container may have neither $HOME nor a name, and a home may be read-only.
"""

import os
import pathlib
import tempfile

from stemjax.io.errors import UserError


def home_folder() -> pathlib.Path | None:
    """The user's home; None if $HOME is not set and the system knows no such user."""
    try:
        return pathlib.Path.home()
    except RuntimeError:
        return None


def user_path(path: str | os.PathLike) -> pathlib.Path:
    """The path, with a leading ~ as the user's home.

    Raises:
      UserError: there is no home.
    """
    try:
        return pathlib.Path(path).expanduser()
    except RuntimeError:
        raise UserError(f"{path}: this user has no home; give a full path") from None


def cache_base() -> pathlib.Path:
    """$XDG_CACHE_HOME, by default ~/.cache; without a home a folder for temporary files."""
    if folder := os.environ.get("XDG_CACHE_HOME"):
        return pathlib.Path(folder)
    home = home_folder()
    if home is None:
        return pathlib.Path(tempfile.gettempdir()) / f"cache-{os.getuid()}"
    return home / ".cache"


def cache_folder() -> pathlib.Path:
    """Folder `stemjax` of the cache."""
    return cache_base() / "stemjax"


def use_compilation_cache() -> pathlib.Path | None:
    """Let JAX keep compiled programs in `cache_folder()/xla`; returns the folder.

    The environment variable JAX_COMPILATION_CACHE_DIR takes precedence.  Where nothing
    can be written, programs are not kept, and None is returned.
    """
    if folder := os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return pathlib.Path(folder)
    folder = cache_folder() / "xla"
    if not _is_writable(folder):
        return None
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    return folder


def use_numba_cache() -> None:
    """Tell numba where to keep compiled functions; call it before librosa is imported.

    librosa cannot be imported where numba finds no folder that it may write to.  The
    environment variable NUMBA_CACHE_DIR takes precedence.
    """
    folder = cache_folder() / "numba"
    if not _is_writable(folder):
        folder = pathlib.Path(tempfile.gettempdir()) / f"numba-{os.getuid()}"
    os.environ.setdefault("NUMBA_CACHE_DIR", str(folder))


def _is_writable(folder: pathlib.Path) -> bool:
    """Whether files can be written to a folder, which is made if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)
