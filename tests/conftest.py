"""What tests of several rooms use: built once in each worker."""

import pytest


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
