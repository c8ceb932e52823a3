"""A loaded StemGen model."""

import dataclasses
import functools
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from stemjax.api.request import checked_category
from stemjax.codec.codec import Codec
from stemjax.config.categories import CATEGORIES
from stemjax.config.decode import DECODE_PRESETS, DecodeConfig
from stemjax.config.model import StemGenConfig
from stemjax.config.runs import to_json
from stemjax.decode.devices import Devices, decode_shared, row_by_row, spread
from stemjax.decode.host import ProgressCallback
from stemjax.decode.iterate import DecodeResult
from stemjax.decode.keep import Kept
from stemjax.decode.network import StemGenNetwork
from stemjax.decode.result import SILENT_DB, Result, make_result
from stemjax.decode.settings import variation_keys
from stemjax.io.audio import MIN_SECONDS, rms_db, to_mono
from stemjax.io.audio_files.bounds import check_audio, to_float32
from stemjax.io.errors import UserError
from stemjax.session import loops


@dataclasses.dataclass(frozen=True)
class Model:
    """A StemGen model with its codec; made by `stemjax.load`."""

    name: str
    """Name of the release or workdir."""
    version: str
    """Version of the release."""
    sha256: str
    """Digest of the weights."""
    config: StemGenConfig
    """Architecture."""
    params: Mapping[str, Any]
    """Weights."""
    codec: Codec
    """Codec of contexts and stems."""
    trained_frames: int
    """Length of the training crops, frames; longer contexts are decoded in windows."""
    decode: DecodeConfig
    """Default decoding settings of the release."""
    keeps_prefix: bool = False
    """Whether it learned to continue a prefix that it sees on every level (A3)."""

    @property
    def sample_rate(self) -> int:
        """Rate of the model's audio, Hz."""
        return self.codec.config.sample_rate

    def decode_config(self, preset: str | None = None, **settings: Any) -> DecodeConfig:
        """Return a decoding preset with some fields replaced.

        Args:
          preset: a key of `DECODE_PRESETS`; None: the defaults of the release.
          **settings: fields of `DecodeConfig`.

        Raises:
          UserError: unknown preset or setting, or a value that is out of range.
        """
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
        loop: bool = False,
        progress: ProgressCallback | None = None,
        **settings: Any,
    ) -> Result | list[Result]:
        """Generate a stem for a context mix (StemGen, sec. 2.1).

        Args:
          context: [N] or [N, C], see `stemjax.io.audio_files.bounds`; if longer than the
            training crops, it is decoded in windows.
          sample_rate: of `context`, Hz.
          instrument: a category name, see `stemjax.config.categories`.
          seed: variation k depends only on (seed, k).
          variations: number of stems; with more than one a list is returned.
          preset: a key of `DECODE_PRESETS`; None: the defaults of the release.
          allow_silent_context: accept a context below -60 dB RMS.
          name: name of the context in error messages, such as its file.
          kept: codes [Q, T] of a stem that stay; the others are decoded around them.
          loop: the context is a loop: its end continues at its beginning, and so does
            the end of the stem (`stemjax.session.loops`).
          progress: called with (steps done, total steps).
          **settings: fields of `DecodeConfig` that replace those of the preset.

        Returns:
          A `Result`, or a list of them if `variations` > 1.

        Raises:
          UserError: bad audio, an unknown instrument or setting, a number out of its
            range, kept codes of another length, or `kept` together with `loop`.
        """
        config = self.decode_config(preset, **settings)
        category = checked_category(instrument, seed, variations)
        results = self.generate_stems(
            self.prepare_context(
                context, sample_rate, allow_silent=allow_silent_context, name=name
            ),
            config,
            category=category,
            seed=seed,
            variations=variations,
            preset=preset,
            kept=kept,
            loop=loop,
            progress=progress,
        )
        return results[0] if variations == 1 else results

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
    ) -> list[Result]:
        """Generate the stems of `generate` from checked inputs.

        Args:
          context: [N] float32, see `prepare_context`.
          config: see `decode_config`.
          category: index into `CATEGORIES`.
          preset: name of the preset, stored in `Result.settings`.
          seed, variations, kept, loop, progress: see `generate`.

        Returns:
          One result per variation.

        Raises:
          UserError: kept codes of another length, or `kept` together with `loop`.
        """
        if loop and kept is not None:
            raise UserError("kept codes and loop: a loop is decoded in two passes")
        samples = len(context)
        started = time.perf_counter()
        if loop:
            context_tokens = loops.encode_loop(self, context)
        else:
            context_tokens = self.encode_audio(context[None])[0]
        encoded = time.perf_counter()
        batch = (
            np.repeat(context_tokens[None], variations, axis=0),
            np.full(variations, category, np.int32),
            variation_keys(np.full(variations, seed), np.arange(variations)),
            config,
        )
        if loop:
            decoded = loops.generate_loop_tokens(
                self, *batch, num_samples=samples, progress=progress
            )
            stems = [
                loops.decode_loop(self.codec, row, samples) for row in decoded.codes
            ]
        else:
            decoded = self.generate_tokens(
                *batch, num_samples=samples, kept=kept, progress=progress
            )
            stems = self.decode_audio(decoded.codes, samples)
        done = time.perf_counter()
        seconds = {
            "audio": samples / self.sample_rate,
            "codec_encode": encoded - started,
            "decode": done - encoded,
            "compile": decoded.compile_seconds,
        }
        return [
            make_result(
                context,
                stems[k],
                sample_rate=self.sample_rate,
                tokens=np.asarray(decoded.codes[k]),
                context_tokens=context_tokens,
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

    def generate_batch(
        self,
        contexts: np.ndarray,
        categories: np.ndarray,
        seeds: np.ndarray,
        variations: np.ndarray,
        configs: Sequence[DecodeConfig],
    ) -> np.ndarray:
        """Generate stems for a batch of contexts of one length.

        Each row has the tokens that `generate` returns for the same values.

        Args:
          contexts: [B, N] float32 at the model's rate.
          categories, seeds, variations: [B] int.
          configs: B configs with equal `steps` and `guidance`.

        Returns:
          Stems [B, N] float32.
        """
        samples = contexts.shape[1]
        decoded = self.generate_tokens(
            self.encode_audio(contexts),
            categories,
            variation_keys(seeds, variations),
            configs,
            num_samples=samples,
        )
        return self.decode_audio(decoded.codes, samples)

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
    ) -> DecodeResult:
        """Generate stem tokens for encoded contexts; each row is independent.

        Args:
          context_codes: [B, Q, T] int32.
          categories: [B] int32.
          keys: [B] random keys, see `variation_keys`.
          config: one for all rows, or one per row with equal `steps` and `guidance`.
          num_samples: length of the contexts.
          kept: codes [Q, T] that stay in all rows.
          progress: called with (steps done, total steps).

        Raises:
          UserError: `kept` has another length than the contexts.
        """
        frames = self.codec.config.frames(num_samples)
        for array in kept or ():
            if np.shape(array)[-1] != frames:
                raise UserError(
                    f"the kept codes have {np.shape(array)[-1]} frames, the context"
                    f" {frames}; give a stem of the context's length"
                )
        return decode_shared(
            self.devices,
            StemGenNetwork(self.config, self.keeps_prefix),
            config,
            context_codes,
            {"instrument": categories},
            keys,
            num_frames=frames,
            window_frames=self.trained_frames,
            kept=kept and kept.repeat(len(context_codes)),
            progress=progress,
        )

    def prepare_context(
        self,
        context: np.ndarray,
        sample_rate: int,
        *,
        allow_silent: bool = False,
        name: str = "context",
    ) -> np.ndarray:
        """Check a context and convert it to mono at the model's rate, [N] float32.

        Raises:
          UserError: bad audio, shorter than 1 s, or silent and not `allow_silent`.
        """
        audio = check_audio(context, sample_rate, name=name)
        if (seconds := len(audio) / sample_rate) < MIN_SECONDS:
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

    def encode_audio(self, audio: np.ndarray) -> np.ndarray:
        """Encode audio [B, N] float32 at the model's rate to codes [B, Q, T] int32.

        Zeros complete the last frame, so that the codec does not reflect the end.
        """
        audio = to_float32(audio, name="audio")
        padding = (0, 0), (0, -audio.shape[1] % self.codec.config.hop)
        return row_by_row(self.devices, Codec.encode, np.pad(audio, padding))

    def decode_audio(self, codes: np.ndarray, num_samples: int) -> np.ndarray:
        """Decode codes [B, Q, T] to audio [B, num_samples] at the model's rate."""
        return row_by_row(self.devices, Codec.decode, codes)[:, :num_samples]

    @functools.cached_property
    def devices(self) -> Devices:
        """The weights on all devices of this process."""
        return spread(self.params, self.codec)
