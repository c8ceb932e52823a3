"""The Python API: load a StemGen model, give it a recording, get a stem."""

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from stemjax.codec.codec import Codec
from stemjax.codec.codec import load as load_codec
from stemjax.config.categories import CATEGORIES, category_of
from stemjax.config.decode import DECODE_PRESETS, DecodeConfig
from stemjax.config.model import StemGenConfig
from stemjax.config.runs import from_json, to_json
from stemjax.decode.devices import Devices, decode_shared, row_by_row, spread
from stemjax.decode.iterate import DecodeResult
from stemjax.io.audio import MIN_SECONDS, check_audio, rms_db, to_mono
from stemjax.io.errors import UserError
from stemjax.io.release import RUN, locate, read_release
from stemjax.io.weights import unflatten
from stemjax.train.export import restore_model

MAX_SECONDS = 60.0
SILENT_DB = -60.0
# contexts are padded to a multiple, so that few programs are compiled; accelerators lay
# arrays out in tiles of 8 to 128 rows
BUCKET_FRAMES = 64


@dataclasses.dataclass(frozen=True)
class Result:
    """One generated stem at the model's rate (32 kHz), as long as the context.

    stem, mix: [N] float32; `mix = gain * (context + stem)`, gain 1 unless that clips.
    tokens: [Q, T] int32.  order: [Q, T] int32, the decoding step that revealed a token.
    settings: every setting of the decoding, JSON values.  warnings: plain sentences.
    """

    stem: np.ndarray
    mix: np.ndarray
    context: np.ndarray
    sample_rate: int
    gain: float
    tokens: np.ndarray
    order: np.ndarray
    settings: dict[str, Any]
    seconds: dict[str, float]
    warnings: tuple[str, ...]


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
        progress: Callable[[int, int], None] | None = None,
        **settings: Any,
    ) -> "Result | list[Result]":
        """Answer a recording with a stem (paper, sec. 2.1).

        Args:
          context: [N] or [N, C] float, 1 to 60 seconds, any rate.
          sample_rate: of `context`, Hz.
          instrument: a category name, see `stemjax.config.categories`.
          seed: variation k depends on (seed, k) alone.
          variations: more than one returns a list.
          preset: "best", "naive", "fast", "vampnet", "soundstorm"; None: the release's.
          allow_silent_context: accept a context below -60 dB.
          name: what errors call the context: its file.
          progress: called with (steps done, steps in all).
          **settings: fields of `DecodeConfig` that replace the preset's.

        Raises:
          UserError: bad audio, unknown instrument or setting.
        """
        config = self.decode_config(preset, **settings)
        try:
            category = category_of(instrument)
        except ValueError as error:
            raise UserError(str(error)) from None
        if variations < 1:
            raise UserError(f"variations must be >= 1, got {variations}")
        mono = self._listen(context, sample_rate, allow_silent_context, name)

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
            self._result(
                mono,
                stems[k],
                np.asarray(decoded.codes[k]),
                np.asarray(decoded.order[k]),
                {
                    "instrument": CATEGORIES[category],
                    "seed": seed,
                    "variation": k,
                    "preset": preset,
                    **to_json(config),
                },
                seconds,
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
        progress: Callable[[int, int], None] | None = None,
    ) -> tuple[np.ndarray, DecodeResult]:
        """Answer encoded contexts of one length; a row depends on nothing but itself.

        codes: [B, Q, T] int32 of contexts.  categories: [B] int32.  keys: [B].
        config: for all, or one a row with equal steps and guidance.
        Returns stems [B, num_samples] float32 and what was decoded.
        """
        decoded = decode_shared(
            self._devices,
            self.config,
            config,
            codes,
            {"instrument": categories},
            keys,
            num_frames=self.codec.config.frames(num_samples),
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

    def _listen(
        self, context, sample_rate: int, allow_silent: bool, name: str
    ) -> np.ndarray:
        """The context as the model hears it: checked, mono, 32 kHz, [N] float32."""
        audio = check_audio(context, sample_rate, name=name)
        seconds = len(audio) / sample_rate
        if seconds < MIN_SECONDS:
            raise UserError(
                f"{name}: {seconds:.2f} s is shorter than {MIN_SECONDS:g} s;"
                " give a longer recording"
            )
        if seconds > MAX_SECONDS:
            raise UserError(
                f"{name}: {seconds:.1f} s is longer than {MAX_SECONDS:g} s; cut it"
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

    def _result(self, mono, stem, tokens, order, settings, seconds) -> Result:
        stem = np.asarray(stem, np.float32)
        total = mono + stem
        gain = float(1 / max(1.0, np.abs(total).max()))
        warnings = ()
        if (level := rms_db(stem)) < SILENT_DB:
            warnings = (
                f"the stem is nearly silent ({level:.0f} dB): try another seed, lower"
                " guidance scales (1.5 1.5) or another instrument",
            )
        return Result(
            stem=stem,
            mix=np.float32(gain) * total,
            context=mono,
            sample_rate=self.sample_rate,
            gain=gain,
            tokens=tokens,
            order=order,
            settings=settings,
            seconds=seconds,
            warnings=warnings,
        )


def variation_keys(seeds: np.ndarray, variations: np.ndarray) -> jax.Array:
    """Keys [B] of decoding: variation k of a seed is always the same."""

    def key(seed, k):
        return jax.random.fold_in(jax.random.key(seed), k)

    return jax.vmap(key)(seeds, variations)


def load(name_or_dir: str | os.PathLike = "stemgen-mini", *, codec: str = "") -> Model:
    """Load a bundled model, a release folder, or a training workdir (its best step).

    Args:
      name_or_dir: "stemgen-mini", alias "bundled", or a folder.
      codec: a codec folder, where the checkpoint's own codec is not at hand.

    Raises:
      UserError: neither, another format, or a codec that does not belong to it.
    """
    folder = locate(name_or_dir)
    if (folder / RUN).is_file():
        config, flat, sha256 = restore_model(folder, kind="stemgen")
    else:
        release = read_release(folder, kind="stemgen")
        config, flat, sha256 = release.config, release.weights, release.sha256
    if list(config["categories"]) != list(CATEGORIES):
        raise UserError(f"{folder}: its category table is not this version's; retrain")
    model = from_json(StemGenConfig, config["model"])
    return Model(
        name=str(config.get("name", folder.name)),
        version=str(config["version"]),
        sha256=sha256,
        config=model,
        params=unflatten(flat),
        codec=_matching_codec(folder, config, model, codec),
        trained_frames=int(config["trained_frames"]),
        decode=from_json(DecodeConfig, config["decode"]),
    )


def _matching_codec(folder, config, model: StemGenConfig, override: str) -> Codec:
    """The codec that the checkpoint was trained with, told by its digest."""
    wanted = config["codec"]
    if not wanted["sha256"]:
        raise UserError(
            f"{folder}: speaks tokens of {wanted['name']!r}, no codec of stemjax: decode"
            " with stemjax.decode and that codec"
        )
    beside = folder / wanted["name"]  # a codec nobody else has
    loaded = load_codec(override or (beside if beside.is_dir() else wanted["name"]))
    if loaded.sha256 != wanted["sha256"] or (
        (loaded.config.num_codebooks, loaded.config.codebook_size)
        != (model.num_codebooks, model.codebook_size)
    ):
        raise UserError(
            f"{folder}: its codec is {wanted['name']!r} ({wanted['sha256'][:12]}),"
            f" not {loaded.name!r} ({loaded.sha256[:12]}); give its own with --codec"
        )
    return loaded
