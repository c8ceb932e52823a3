"""What tests of several rooms use: built once in each worker."""

import importlib.metadata
import os
import pathlib

import pytest

_CACHES = (
    pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    / "stemjax-tests"
)

# Workers, child processes and later runs share what they compile.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR",
    str(_CACHES / f"jaxlib-{importlib.metadata.version('jaxlib')}"),
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

# A cache of numba that two workers fill at once kills the one that reads it (numba #10128),
# so that each worker has its own.  Read when librosa is imported.
os.environ.setdefault(
    "NUMBA_CACHE_DIR",
    str(
        _CACHES
        / f"numba-{importlib.metadata.version('numba')}"
        / os.environ.get("PYTEST_XDIST_WORKER", "alone")
    ),
)

# Most programs here run a few times on toy shapes: compiling them takes longer than
# running them, and XLA's older emitters of CPU code take half the newer ones' time.  (An
# XLA without that flag ends every process with "Unknown flag": then remove it here.)
# Scripts that tests start inherit it, so that their bits can be compared with this
# process's.  Read when jax is imported.
if "JAX_DISABLE_MOST_OPTIMIZATIONS" not in os.environ:
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_use_fusion_emitters=false"


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    """Folder of a tiny StemGen release with random weights; not to be written to."""
    from tests.entry.random_release import write_random_release

    return write_random_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="session")
def random_model(release):
    """The same, loaded: what one test compiled, the next has."""
    import stemjax

    return stemjax.load(release)
