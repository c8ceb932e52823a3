"""Cache folder of compiled programs and copies of remote files."""

import os
import pathlib


def cache_folder() -> pathlib.Path:
    """$XDG_CACHE_HOME/stemjax, by default ~/.cache/stemjax."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "stemjax"


def use_compilation_cache() -> pathlib.Path:
    """Let JAX keep compiled programs in `cache_folder()/xla`; returns the folder.

    The environment variable JAX_COMPILATION_CACHE_DIR takes precedence.
    """
    if folder := os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return pathlib.Path(folder)
    import jax

    folder = cache_folder() / "xla"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    return folder
