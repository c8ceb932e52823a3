"""`Codec`, a codec with its weights: loading, saving, encoding and decoding (EnCodec).

The pure functions are in `functional`; this adds files, compiled programs and padding.
"""

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stemjax.arrays.vq import residual_kmeans
from stemjax.codec import functional, import_published, long_audio, long_frames, names
from stemjax.config.codec import AnyCodecConfig, CodecConfig, OscillatorCodecConfig
from stemjax.config.plain_values import digest_of, to_json
from stemjax.config.releases import CodecReference, CodecRelease
from stemjax.io.audio_files.bounds import to_float32
from stemjax.io.release import (
    CONFIG,
    WEIGHTS,
    check_config,
    locate,
    read_config,
    read_release,
    write_release,
)
from stemjax.io.weights import sha256_of
from stemjax.nn.axes import BATCH, RULES

DEFAULT_CARD = "# {name}\n\nA codec of stemjax, for models trained on its tokens.\n"


@functools.partial(jax.jit, static_argnames="cfg")
def _encode(variables, cfg, audio, length):
    return functional.encode(variables, cfg, audio, length)


@functools.partial(jax.jit, static_argnames="cfg")
def _decode(variables, cfg, codes, length):
    return functional.decode(variables, cfg, codes, length)


LONG = {CodecConfig: long_audio, OscillatorCodecConfig: long_frames}
"""Module that processes long audio in chunks, per type of config."""


@dataclasses.dataclass(frozen=True)
class Codec:
    """A codec with its weights: audio to codes and back."""

    config: AnyCodecConfig
    """Architecture."""
    variables: Mapping[str, Any]
    """Parameters and codebooks, as in `functional`."""
    name: str
    """Name of the codec."""
    sha256: str
    """Digest of the weights' file, or of the file that `save` would write."""
    rows: NamedSharding | None = None
    """Sharding of a batch's rows over devices; None: one device."""

    def on(self, mesh: Mesh) -> "Codec":
        """The same codec, with an `encode` that divides rows over the mesh's devices.

        The batch size must divide over the mesh axes that hold examples.
        """
        whole = NamedSharding(mesh, PartitionSpec())
        return dataclasses.replace(
            self,
            variables=jax.device_put(self.variables, whole),
            rows=NamedSharding(mesh, PartitionSpec(dict(RULES)[BATCH])),
        )

    def encode(self, audio: Any) -> np.ndarray:
        """Encode audio to codes (EnCodec, sec. 3).

        Compiles once per batch size and, up to the length of a chunk, per second of
        length.  Neither padding nor chunks change a code.

        audio: [B, N] float in -1..1, or PCM, at `config.sample_rate`.

        Returns: [B, Q, T] int32, T = ceil(N / hop).

        Raises:
          ValueError: another shape, no samples, or rows that do not divide over the mesh.
          UserError: another type, or out of the bounds of `to_float32`.
        """
        cfg, audio = self.config, to_float32(audio, name="audio")
        if audio.ndim != 2 or 0 in audio.shape:
            raise ValueError(f"audio is {audio.shape}, not [B, N] with N >= 1")
        samples = audio.shape[1]
        frames = cfg.frames(samples)
        place = self._place
        long = LONG[type(cfg)]
        chunk = long.chunk_frames(cfg, self._rows_per_device(len(audio)))
        if frames > chunk:
            params, books = self._prepared["encoder"], self.variables["codebooks"]
            return long.encode(params, books, cfg, audio, chunk=chunk, place=place)
        if frames <= long.widest_padding(cfg):
            return np.asarray(_encode(self.variables, cfg, place(audio), None))
        padded = _pad_last(audio, self._bucket(frames) * cfg.hop)
        codes = _encode(self.variables, cfg, place(padded), np.int32(samples))
        return np.asarray(codes)[:, :, :frames]

    def decode(self, codes: Any) -> np.ndarray:
        """Decode codes to audio.

        codes: [B, Q, T] int; Q may be less than the codec's number of levels.

        Returns: [B, T * hop] float32 at `config.sample_rate`.

        Raises:
          ValueError: another shape, or codes outside 0..V-1.
        """
        cfg, codes = self.config, np.asarray(codes)
        if codes.ndim != 3 or 0 in codes.shape or codes.shape[1] > cfg.num_codebooks:
            raise ValueError(
                f"codes are {codes.shape}, not [B, {cfg.num_codebooks}, T]"
            )
        if codes.min() < 0 or codes.max() >= cfg.codebook_size:
            raise ValueError(
                f"codes lie in {codes.min()}..{codes.max()}, not in"
                f" 0..{cfg.codebook_size - 1}"
            )
        codes, frames = codes.astype(np.int32), codes.shape[2]
        long = LONG[type(cfg)]
        chunk = long.chunk_frames(cfg, len(codes))
        if frames > chunk:
            params, books = self._prepared["decoder"], self.variables["codebooks"]
            return long.decode(params, books, cfg, codes, chunk=chunk)
        if frames <= long.widest_padding(cfg):
            return np.asarray(_decode(self.variables, cfg, codes, None))
        padded = _pad_last(codes, self._bucket(frames))
        audio = _decode(self.variables, cfg, padded, np.int32(frames))
        return np.asarray(audio)[:, : frames * cfg.hop]

    @functools.cached_property
    def config_sha256(self) -> str:
        """Digest of the config."""
        return digest_of(self.config)

    @property
    def reference(self) -> CodecReference:
        """The codec as files name it."""
        return CodecReference(
            name=self.name, sha256=self.sha256, config_sha256=self.config_sha256
        )

    @property
    def identity(self) -> "CodecFile":
        """The codec as `identify` returns it."""
        return CodecFile(self.name, self.sha256, self.config, lambda: self)

    def _place(self, array: np.ndarray) -> Any:
        """Put an array [B, ...] on the devices that encode it."""
        return array if self.rows is None else jax.device_put(array, self.rows)

    def _rows_per_device(self, batch_size: int) -> int:
        if self.rows is None:
            return batch_size
        return self.rows.shard_shape((batch_size,))[0]

    @functools.cached_property
    def _prepared(self) -> Mapping[str, Any]:
        return LONG[type(self.config)].prepare_params(self.variables["params"])

    def _bucket(self, frames: int) -> int:
        """Frames rounded up to whole seconds."""
        second = max(1, round(self.config.frame_rate))
        return -(-frames // second) * second

    def save(
        self,
        folder: str | os.PathLike,
        *,
        version: str = "1",
        steps: int = 0,
        licence: str = "Apache-2.0",
        metrics: Mapping[str, float] | None = None,
        card: str = "",
    ) -> str:
        """Write a release folder.

        Args:
          folder: path, local or remote.
          version: version of the weights.
          steps: training steps.
          licence: licence of the weights.
          metrics: validation metrics, name -> value.
          card: text of README.md; empty: a default text.

        Returns: sha256 of the weights' file.
        """
        config = {
            "kind": "codec",
            "name": self.name,
            "version": version,
            "model": to_json(self.config),
            "steps": steps,
            "licence": licence,
            "metrics": dict(metrics or {}),
        }
        card = card or DEFAULT_CARD.format(name=self.name)
        write_release(folder, config, names.to_public(self.variables), card)
        return sha256_of(os.path.join(folder, WEIGHTS))


def _pad_last(array: np.ndarray, size: int) -> np.ndarray:
    """Append zeros to the last axis up to `size`."""
    width = [(0, 0)] * (array.ndim - 1) + [(0, size - array.shape[-1])]
    return np.pad(array, width)


class CodecFile(NamedTuple):
    """Config and digest of a codec whose weights are not loaded yet."""

    name: str
    """Name of the codec."""
    sha256: str
    """Digest of the weights' file."""
    config: AnyCodecConfig
    """Architecture."""
    load: Callable[[], Codec]
    """Loads the weights."""

    @property
    def config_sha256(self) -> str:
        """Digest of the config."""
        return digest_of(self.config)


def identify(name_or_dir: str | os.PathLike) -> CodecFile:
    """Read the config of a codec and the digest of its weights.

    name_or_dir: bundled name, release folder, or published EnCodec folder.

    Raises:
      UserError: neither a name nor a folder, or no codec in it.
    """
    folder = locate(name_or_dir)
    raw = read_config(folder)
    is_published = (
        raw.get("model_type") == import_published.MODEL_TYPE and "format" not in raw
    )
    if is_published:
        cfg, name = import_published.parse_config(raw, folder / CONFIG), ""
    else:
        config = check_config(folder, CodecRelease)
        cfg, name = config.model, config.name
    path = folder / WEIGHTS
    codec_file = CodecFile(
        name=name or folder.resolve().name,
        sha256=sha256_of(path),
        config=cfg,
        load=lambda: _load(folder, codec_file, is_published),
    )
    return codec_file


def _load(folder: pathlib.Path, codec_file: CodecFile, is_published: bool) -> Codec:
    name, sha256, cfg, _ = codec_file
    if is_published:
        _, variables, _ = import_published.read_published(folder)
    else:
        weights = read_release(folder, CodecRelease).weights
        names.check_weights(weights, cfg, folder / WEIGHTS)
        variables = names.from_public(weights)
    arrays = jax.tree.map(jnp.asarray, variables)
    return Codec(cfg, arrays, name, sha256)


def load(name_or_dir: str | os.PathLike) -> Codec:
    """Load a codec.

    name_or_dir: bundled name, release folder, or published EnCodec folder (the Hugging
      Face layout).

    Raises:
      UserError: neither a name nor a folder, or files that do not fit each other.
    """
    return identify(name_or_dir).load()


def random(cfg: AnyCodecConfig, seed: int) -> Codec:
    """Codec with random weights, for tests and tiny runs.

    Its codebooks are fitted to its latents, so that codes are diverse and depend on the
    audio.  Its decoded audio is noise.
    """
    variables = _random_variables(cfg, seed)
    arrays = names.to_public(variables)
    # The digest of the file that `save` writes, so that saving keeps the identity.
    sha256 = hashlib.sha256(safetensors.numpy.save(arrays, metadata={})).hexdigest()
    digest = hashlib.sha256(json.dumps(to_json(cfg)).encode()).hexdigest()
    return Codec(cfg, variables, f"random-{digest[:6]}-{seed}", sha256)


@functools.partial(jax.jit, static_argnames="cfg")
def _random_variables(cfg: AnyCodecConfig, seed: int):
    key_init, key_audio, key_codes = jax.random.split(jax.random.key(seed), 3)
    params, _ = functional.init(key_init, cfg)
    latents = functional.encode_latents(params, cfg, _random_audio(key_audio, cfg))
    embeddings = residual_kmeans(
        key_codes,
        latents.reshape(-1, cfg.hidden_size),
        num_levels=cfg.num_codebooks,
        num_codes=cfg.codebook_size,
        iterations=2,
        scales=functional.distance_scales(cfg),
    )
    codebooks = functional.codebook_tree(embeddings, is_inited=True)
    return {"params": params, "codebooks": codebooks}


def _random_audio(key, cfg: AnyCodecConfig):
    """Eight clips of chords and noise that change every 0.1 s: [8, N]."""
    frames = -(-cfg.codebook_size // 8)  # per clip: in total as many as codes
    step = cfg.sample_rate // 10
    steps = -(-frames * cfg.hop // step)
    keys = jax.random.split(key, 4)
    pitch = 50 * 2 ** jax.random.uniform(keys[0], (8, steps, 4), maxval=6.0)  # Hz
    gain = jax.random.uniform(keys[1], (8, steps, 4), maxval=0.2)
    noise_gain = 0.2 * jax.random.uniform(keys[2], (8, steps, 1)) ** 2
    time = jnp.arange(step) / cfg.sample_rate
    tones = jnp.einsum(
        "bsf,bsfn->bsn", gain, jnp.sin(2 * jnp.pi * pitch[..., None] * time)
    )
    noise = noise_gain * jax.random.normal(keys[3], (8, steps, step))
    return (tones + noise).reshape(8, -1)[:, : frames * cfg.hop]
