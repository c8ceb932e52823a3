"""Python API: load a StemGen model and generate stems."""

from stemjax.api.joint import generate_joint
from stemjax.api.loading import load
from stemjax.api.model import Model
from stemjax.decode.keep import Kept
from stemjax.decode.result import Result
from stemjax.decode.settings import variation_keys

__all__ = ["Kept", "Model", "Result", "generate_joint", "load", "variation_keys"]
