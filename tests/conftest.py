"""What tests of several rooms use: built once in each worker."""

import os

import jax
import pytest

# Most programs here run a few times on toy shapes: compiling them takes longer than
# running them.  Scripts that tests start compile as a user's do, and so does all with
# JAX_DISABLE_MOST_OPTIMIZATIONS=0.
if "JAX_DISABLE_MOST_OPTIMIZATIONS" not in os.environ:
    jax.config.update("jax_disable_most_optimizations", True)


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
