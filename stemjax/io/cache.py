"""Where compiled programs are kept between runs."""

import os
import pathlib


def use_compilation_cache() -> pathlib.Path:
    """Keep XLA programs in $XDG_CACHE_HOME/stemjax (default ~/.cache/stemjax)."""
    import jax

    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = pathlib.Path(base) / "stemjax" / "xla"
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    return folder
