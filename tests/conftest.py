"""What tests of several rooms use: built once in each worker."""

import os

import pytest

# Most programs here run a few times on toy shapes: compiling them takes longer than
# running them.  Scripts that tests start inherit it, so that their bits can be compared
# with this process's.  Read when jax is imported.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")


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
