"""The Python API: give a model a recording, get a stem."""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from stemjax.api.result import SILENT_DB, Result, mixed
from stemjax.codec.codec import Codec
from stemjax.config.categories import CATEGORIES, category_of
from stemjax.config.decode import DECODE_PRESETS, DecodeConfig
from stemjax.config.model import StemGenConfig
from stemjax.config.runs import to_json
from stemjax.decode.devices import Devices, decode_shared, row_by_row, spread
from stemjax.decode.iterate import DecodeResult
from stemjax.io.audio import MIN_SECONDS, check_audio, rms_db, to_mono
from stemjax.io.errors import UserError

# contexts are padded to a multiple, so that few programs are compiled; accelerators lay
# arrays out in tiles of 8 to 128 rows
BUCKET_FRAMES = 64


class Kept(NamedTuple):
    """Codes of a stem that an edit keeps (masks: `stemjax.decode.keep`)."""

    codes: np.ndarray
    """[Q, T] int32; what is not kept is not read."""
    is_kept: np.ndarray
    """[Q, T] bool."""

    def rows(self, count: int, frames: int) -> dict[str, np.ndarray]:
        """As arguments of the decoder, for `count` contexts of `frames` frames.

        Raises:
          UserError: other lengths.
        """
        for array in self:
            if np.shape(array)[-1] != frames:
                raise UserError(
                    f"the kept codes have {np.shape(array)[-1]} frames, the context"
                    f" {frames}; give a stem of the context's length"
                )
        codes = np.where(self.is_kept, self.codes, 0).astype(np.int32)
        return {
            "given_codes": np.repeat(codes[None], count, axis=0),
            "is_given": np.repeat(np.asarray(self.is_kept, bool)[None], count, axis=0),
        }


@dataclasses.dataclass(frozen=True)
class Model:
    """A StemGen model with the codec whose tokens it speaks."""

    name: str
    version: str
    sha256: str
    config: StemGenConfig
    params: Mapping[str, Any]
    codec: Codec
    trained_frames: int
    decode: DecodeConfig

    @property
    def sample_rate(self) -> int:
        """Rate of contexts and stems inside the model, Hz."""
        return self.codec.config.sample_rate

    def decode_config(self, preset: str | None = None, **settings: Any) -> DecodeConfig:
        """A preset (None: the release's own default) with single settings replaced."""
        if preset is not None and preset not in DECODE_PRESETS:
            raise UserError(f"unknown preset {preset!r}: {', '.join(DECODE_PRESETS)}")
        base = DECODE_PRESETS[preset] if preset else self.decode
        known = {field.name for field in dataclasses.fields(DecodeConfig)}
        if unknown := sorted(set(settings) - known):
            raise UserError(
                f"unknown setting {unknown[0]!r}: {', '.join(sorted(known))}"
            )
        try:
            config = dataclasses.replace(base, **settings)
        except ValueError as error:
            raise UserError(str(error)) from None
        if len(config.scales) != self.config.num_sources:
            raise UserError(
                f"scales {config.scales}: this model has {self.config.num_sources}"
                " guidance sources; give one scale for each"
            )
        return config

    def generate(
        self,
        context: np.ndarray,
        sample_rate: int,
        *,
        instrument: str,
        seed: int = 0,
        variations: int = 1,
        preset: str | None = None,
        allow_silent_context: bool = False,
        name: str = "context",
        kept: Kept | None = None,
        progress: Callable[[int, int], None] | None = None,
        **settings: Any,
    ) -> Result | list[Result]:
        """Answer a recording with a stem (paper, sec. 2.1).

        Args:
          context: [N] or [N, C] float, 1 second or longer, any rate.  What is longer
            than the model's crops is decoded in windows (`stemjax.decode.windows`).
          sample_rate: of `context`, Hz.
          instrument: a category name, see `stemjax.config.categories`.
          seed: variation k depends on (seed, k) alone.
          variations: more than one returns a list.
          preset: "best", "naive", "fast", "vampnet", "soundstorm"; None: the release's.
          allow_silent_context: accept a context below -60 dB.
          name: what errors call the context: its file.
          kept: codes of a stem to keep as they are; the rest is decoded around them.
          progress: called with (steps done, steps in all).
          **settings: fields of `DecodeConfig` that replace the preset's.

        Raises:
          UserError: bad audio, unknown instrument or setting, kept codes of another
            length.
        """
        config = self.decode_config(preset, **settings)
        try:
            category = category_of(instrument)
        except ValueError as error:
            raise UserError(str(error)) from None
        if variations < 1:
            raise UserError(f"variations must be >= 1, got {variations}")
        mono = self.listen(
            context, sample_rate, allow_silent=allow_silent_context, name=name
        )

        started = time.perf_counter()
        codes = self.encode_contexts(mono[None])
        encoded = time.perf_counter()
        keys = variation_keys(np.full(variations, seed), np.arange(variations))
        stems, decoded = self.decode_codes(
            np.repeat(codes, variations, axis=0),
            np.full(variations, category, np.int32),
            keys,
            config,
            num_samples=len(mono),
            kept=kept,
            progress=progress,
        )
        done = time.perf_counter()
        seconds = {
            "audio": len(mono) / self.sample_rate,
            "codec_encode": encoded - started,
            "decode": done - encoded,
            "compile": decoded.compile_seconds,
        }
        results = [
            mixed(
                mono,
                stems[k],
                sample_rate=self.sample_rate,
                tokens=np.asarray(decoded.codes[k]),
                order=np.asarray(decoded.order[k]),
                settings={
                    "instrument": CATEGORIES[category],
                    "seed": seed,
                    "variation": k,
                    "preset": preset,
                    **to_json(config),
                },
                seconds=seconds,
            )
            for k in range(variations)
        ]
        return results[0] if variations == 1 else results

    def decode_codes(
        self,
        codes: np.ndarray,
        categories: np.ndarray,
        keys: jax.Array,
        config: DecodeConfig | Sequence[DecodeConfig],
        *,
        num_samples: int,
        kept: Kept | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[np.ndarray, DecodeResult]:
        """Answer encoded contexts of one length; a row depends on nothing but itself.

        codes: [B, Q, T] int32 of contexts.  categories: [B] int32.  keys: [B].
        config: for all, or one a row with equal steps and guidance.
        kept: the same codes for all rows.
        Returns stems [B, num_samples] float32 and what was decoded.
        """
        frames = self.codec.config.frames(num_samples)
        decoded = decode_shared(
            self._devices,
            self.config,
            config,
            codes,
            {"instrument": categories},
            keys,
            num_frames=frames,
            **({} if kept is None else kept.rows(len(codes), frames)),
            window_frames=self.trained_frames,
            bucket_frames=BUCKET_FRAMES,
            progress=progress,
        )
        stems = row_by_row(self._devices, Codec.decode, decoded.codes)
        return stems[:, :num_samples], decoded

    def answer(
        self,
        contexts: np.ndarray,
        categories: np.ndarray,
        seeds: np.ndarray,
        variations: np.ndarray,
        configs: Sequence[DecodeConfig],
    ) -> np.ndarray:
        """Stems [B, N] of contexts [B, N] float32 at the model's rate.

        categories, seeds, variations: [B] int.  configs: B with equal steps and guidance.
        A row has the tokens that `generate` decodes for that row's values.
        """
        stems, _ = self.decode_codes(
            row_by_row(self._devices, Codec.encode, self._whole_frames(contexts)),
            categories,
            variation_keys(seeds, variations),
            configs,
            num_samples=contexts.shape[1],
        )
        return stems

    def listen(
        self,
        context: np.ndarray,
        sample_rate: int,
        *,
        allow_silent: bool = False,
        name: str = "context",
    ) -> np.ndarray:
        """The context as the model hears it: checked, mono, 32 kHz, [N] float32.

        Raises:
          UserError: bad audio, too short, or silent unless that is allowed.
        """
        audio = check_audio(context, sample_rate, name=name)
        seconds = len(audio) / sample_rate
        if seconds < MIN_SECONDS:
            raise UserError(
                f"{name}: {seconds:.2f} s is shorter than {MIN_SECONDS:g} s;"
                " give a longer recording"
            )
        mono = to_mono(audio, sample_rate, self.sample_rate)
        if rms_db(mono) < SILENT_DB and not allow_silent:
            raise UserError(
                f"{name}: silent ({rms_db(mono):.0f} dB, below {SILENT_DB:g} dB);"
                " give a louder recording, or allow it with --allow-silent-context"
            )
        return mono

    def encode_contexts(self, contexts: np.ndarray) -> np.ndarray:
        """Codes [B, Q, T] int32 of [B, N] float32 at the model's rate.

        Zeros fill up to a whole frame, so that encoding does not reflect the end.
        """
        return np.asarray(self.codec.encode(self._whole_frames(contexts)))

    def _whole_frames(self, contexts: np.ndarray) -> np.ndarray:
        return np.pad(
            contexts, ((0, 0), (0, -contexts.shape[1] % self.codec.config.hop))
        )

    @functools.cached_property
    def _devices(self) -> Devices:
        return spread(self.params, self.codec)


def variation_keys(seeds: np.ndarray, variations: np.ndarray) -> jax.Array:
    """Keys [B] of decoding: variation k of a seed is always the same."""

    def key(seed, k):
        return jax.random.fold_in(jax.random.key(seed), k)

    return jax.vmap(key)(seeds, variations)
