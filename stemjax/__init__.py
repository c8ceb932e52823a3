"""stemjax: StemGen in JAX, a music model that generates a stem for a context mix.

    import stemjax
    model = stemjax.load("stemgen-mini")
    result = model.generate(context, sample_rate, instrument="bass", seed=0)

`import stemjax` is fast: jax is imported when a model is loaded.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stemjax.api import Kept, Model, Result

# etils and fsspec read these once.  Buckets are opened with gcsfs even if TensorFlow is
# installed, and listings are not cached, because other processes write there too.
os.environ.setdefault("EPATH_USE_TF", "0")
os.environ.setdefault("FSSPEC_GCS_USE_LISTINGS_CACHE", "false")

__version__ = "0.1.0"
__all__ = ["Kept", "Model", "Result", "load"]


def load(name_or_dir: str, **options: Any) -> "Model":
    """Load a StemGen model: see `stemjax.api.load`."""
    from stemjax import api

    return api.load(name_or_dir, **options)


def __getattr__(name: str) -> Any:
    if name in ("Kept", "Model", "Result"):
        from stemjax import api

        return getattr(api, name)
    raise AttributeError(f"module 'stemjax' has no attribute {name!r}")
