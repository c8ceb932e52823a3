"""Python API: load a StemGen model and generate stems."""

from stemjax.api.loading import load
from stemjax.api.model import Model
from stemjax.decode.keep import Kept
from stemjax.decode.result import Result
from stemjax.decode.settings import variation_keys

__all__ = ["Kept", "Model", "Result", "load", "variation_keys"]
