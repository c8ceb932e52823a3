"""The Python API: load a StemGen model, give it a recording, get a stem."""

from stemjax.api.loading import load
from stemjax.api.model import Kept, Model, variation_keys
from stemjax.api.result import Result

__all__ = ["Kept", "Model", "Result", "load", "variation_keys"]
