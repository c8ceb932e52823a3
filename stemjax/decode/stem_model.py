"""Interface of a loaded StemGen model, for code below `stemjax.api`.

`stemjax.api.Model` implements it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import jax
import numpy as np

from stemjax.codec.codec import Codec
from stemjax.config.decode import DecodeConfig
from stemjax.config.model import StemGenConfig
from stemjax.decode.host import ProgressCallback
from stemjax.decode.iterate import DecodeResult
from stemjax.decode.keep import Kept
from stemjax.decode.result import Result


class StemModel(Protocol):
    """A StemGen model with its codec; `stemjax.api.Model` documents the methods."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def config(self) -> StemGenConfig: ...

    @property
    def params(self) -> Mapping[str, Any]: ...

    @property
    def codec(self) -> Codec: ...

    @property
    def trained_frames(self) -> int: ...

    @property
    def decode(self) -> DecodeConfig: ...

    @property
    def sample_rate(self) -> int: ...

    def decode_config(
        self, preset: str | None = None, **settings: Any
    ) -> DecodeConfig: ...

    def prepare_context(
        self,
        context: np.ndarray,
        sample_rate: int,
        *,
        allow_silent: bool = False,
        name: str = "context",
    ) -> np.ndarray: ...

    def generate_stems(
        self,
        context: np.ndarray,
        config: DecodeConfig,
        *,
        category: int,
        seed: int,
        variations: int = 1,
        preset: str | None = None,
        kept: Kept | None = None,
        loop: bool = False,
        progress: ProgressCallback | None = None,
    ) -> list[Result]: ...

    def generate_batch(
        self,
        contexts: np.ndarray,
        categories: np.ndarray,
        seeds: np.ndarray,
        variations: np.ndarray,
        configs: Sequence[DecodeConfig],
    ) -> np.ndarray: ...

    def encode_audio(self, audio: np.ndarray) -> np.ndarray: ...

    def generate_tokens(
        self,
        context_codes: np.ndarray,
        categories: np.ndarray,
        keys: jax.Array,
        config: DecodeConfig | Sequence[DecodeConfig],
        *,
        num_samples: int,
        kept: Kept | None = None,
        progress: ProgressCallback | None = None,
    ) -> DecodeResult: ...

    def decode_audio(self, codes: np.ndarray, num_samples: int) -> np.ndarray: ...
