"""How good the codec is, beside coders that anyone can check (EnCodec, sec. 4).

A coder takes a clip [N] float32 at the codec's rate and returns the clip as it would be
heard and the bits it cost.  `codec_table` runs the coders over held-out clips:

- the codec; the same architecture untrained, its codebooks k-means of its own latents;
- silence;
- Opus at its lowest rate, 24 kHz, inside Ogg, whose pages are counted in its bits;
- a residual k-means quantizer of log-mel frames, as many levels, codes and frames per
  second as the codec, heard through Griffin-Lim.

Columns: multi-scale mel distance (the training defaults; decades, so 0.05 is 1 dB),
SI-SDR in dB (undefined for silence), kbit/s.  Means over clips.  Then the level error,
output loudness less input loudness (K-weighted as in ITU-R BS.1770-4, not gated), of
every clip at every level of `LEVELS`: its median, and the share within 1 dB.
"""

import dataclasses
import functools
import io
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays import vq
from stemjax.arrays.losses import multi_scale_mel_distance, si_sdr
from stemjax.arrays.mel import mel_matrix
from stemjax.codec import functional
from stemjax.codec.level import k_curve
from stemjax.config.codec import CodecConfig, CodecObjective
from stemjax.config.runs import CodecRun
from stemjax.tasks import codec as codec_task

Coder = Callable[[np.ndarray], tuple[np.ndarray, float]]

SILENT = 1e-3  # root mean square (-60 dB) under which a clip says nothing of SI-SDR
OPUS_RATE = 24_000  # Hz
MEL_WINDOW = 2048  # samples, of the k-means coder
MEL_BINS = 80
MEL_FLOOR = 1e-5
GRIFFIN_LIM_ROUNDS = 32
LEVELS = (-40.0, -30.0, -20.0, -12.0, -6.0)  # RMS of the input, dB of full scale
NEAR = 1.0  # dB: level errors up to it count as near
UNTRAINED_CLIPS = 16  # whose latents fill the untrained codec's codebooks


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """Means of one coder over `clips` clips; NaN where undefined."""

    name: str
    mel: float  # multi-scale mel distance, decades
    si_sdr: float  # dB
    kbps: float  # kbit/s
    level: float  # median level error, dB
    near: float  # share of level errors within `NEAR`
    clips: int


def codec_coder(variables: Any, cfg: CodecConfig) -> Coder:
    """The codec itself; a clip is padded with zeros to the hop and cut again.

    Clips of one length share one compiled program.
    """

    @jax.jit
    def through(variables, audio):
        codes = functional.encode(variables, cfg, audio)
        return functional.decode(variables, cfg, codes)

    def code(clip):
        frames = cfg.frames(len(clip))
        padded = np.pad(clip, (0, frames * cfg.hop - len(clip)))
        bits = frames * cfg.num_codebooks * math.log2(cfg.codebook_size)
        return np.asarray(through(variables, padded[None])[0, : len(clip)]), bits

    return code


def untrained_variables(cfg: CodecConfig, clips: np.ndarray, seed: int = 0) -> Any:
    """Random weights whose codebooks are k-means of their latents of clips [B, N]."""
    task = codec_task.make(CodecRun(steps=1, batch_size=1, model=cfg))
    k_init, k_books = jax.random.split(jax.random.key(seed))
    params, books = jax.jit(task.init)(k_init)  # eager, it compiles op by op
    clips = clips[:, : clips.shape[1] // cfg.hop * cfg.hop]
    audio = np.round(clips * 32_767).astype(np.int16)
    books = jax.jit(task.prepare)(params, books, None, {"audio": audio}, k_books)
    return {"params": params, "codebooks": books}


def silence_coder(clip: np.ndarray) -> tuple[np.ndarray, float]:
    """Nothing, for nothing."""
    return np.zeros_like(clip), 0.0


def opus_coder(sample_rate: int) -> Coder:
    """Opus at 24 kHz and libsndfile's lowest rate (6 kbit/s asked for); file bits.

    Raises:
      RuntimeError: this libsndfile was built without Opus.
    """
    import soundfile
    import soxr

    if "OPUS" not in soundfile.available_subtypes("OGG"):
        raise RuntimeError("libsndfile has no Opus here: update soundfile")

    def code(clip):
        file = io.BytesIO()
        narrow = soxr.resample(clip, sample_rate, OPUS_RATE, quality="HQ")
        soundfile.write(
            file,
            narrow,
            OPUS_RATE,
            format="OGG",
            subtype="OPUS",
            compression_level=1.0,
        )
        bits = 8 * len(file.getvalue())
        file.seek(0)
        heard, rate = soundfile.read(file, dtype="float32")
        return _fit(soxr.resample(heard, rate, sample_rate, quality="HQ"), clip), bits

    return code


def kmeans_mel_coder(
    clips: Iterable[np.ndarray],
    cfg: CodecConfig,
    *,
    iterations: int = 10,
    seed: int = 0,
) -> Coder:
    """4-level k-means of the log-mel frames of training clips, and Griffin-Lim.

    Levels, codes per level and frames per second are the codec's, so is the bit rate.
    Mel frames become magnitudes by the filters' pseudo-inverse, not below 0.
    """
    import librosa

    filters = mel_matrix(cfg.sample_rate, MEL_WINDOW, MEL_BINS)  # [F, bins]
    inverse = np.linalg.pinv(filters)
    spectra = functools.partial(librosa.stft, n_fft=MEL_WINDOW, hop_length=cfg.hop)

    def log_mel(clip):
        return np.log(np.maximum(np.abs(spectra(clip)).T @ filters, MEL_FLOOR))

    frames = np.concatenate([log_mel(clip) for clip in clips])
    books = vq.residual_kmeans(
        jax.random.key(seed),
        jnp.asarray(frames, jnp.float32),
        num_levels=cfg.num_codebooks,
        num_codes=cfg.codebook_size,
        iterations=iterations,
    )
    quantize = jax.jit(vq.quantize_residual)

    def code(clip):
        frames = log_mel(clip)
        _, heard, _ = quantize(frames, books)
        magnitude = np.maximum(np.exp(np.asarray(heard)) @ inverse, 0)
        audio = librosa.griffinlim(
            np.ascontiguousarray(magnitude.T),
            n_iter=GRIFFIN_LIM_ROUNDS,
            hop_length=cfg.hop,
            n_fft=MEL_WINDOW,
            init=None,  # zero phase: the same answer each time
            length=len(clip),
        )
        bits = len(frames) * cfg.num_codebooks * math.log2(cfg.codebook_size)
        return audio.astype(np.float32), bits

    return code


def _fit(audio: np.ndarray, clip: np.ndarray) -> np.ndarray:
    """Cut or zero-padded to the clip's length."""
    return np.pad(audio, (0, max(0, len(clip) - len(audio))))[: len(clip)]


@functools.cache
def _distances(sample_rate: int) -> Callable:
    """Compiled (heard [N], clip [N]) -> mel distance, SI-SDR; once for all rows."""

    def both(heard, clip):
        mel = multi_scale_mel_distance(heard, clip, CodecObjective(), sample_rate)
        return mel, si_sdr(heard, clip)

    return jax.jit(both)


def loudness(clip: np.ndarray, sample_rate: int) -> float:
    """K-weighted root mean square of a clip [N], in dB; silence reads -120."""
    power = np.abs(np.fft.rfft(clip.astype(np.float64))) ** 2
    mean = 2 * np.sum(power * k_curve(sample_rate, len(clip))) / len(clip) ** 2
    return 10 * math.log10(mean + 1e-12)


def level_errors(coder: Coder, clip: np.ndarray, sample_rate: int) -> list[float]:
    """How much louder than its input a clip [N] comes back at each of `LEVELS`, in dB."""
    root = np.sqrt(np.mean(clip**2))
    inputs = [np.float32(clip / root * 10 ** (level / 20)) for level in LEVELS]
    return [
        loudness(coder(given)[0], sample_rate) - loudness(given, sample_rate)
        for given in inputs
    ]


def score(
    name: str, coder: Coder, clips: Iterable[np.ndarray], sample_rate: int
) -> Row:
    """One row: the coder over clips [N] float32; silent clips count for kbit/s alone.

    Raises:
      ValueError: no clip, or a coder that changes a clip's length.
    """
    distances = _distances(sample_rate)
    seen, heard_something, errors, bits, seconds = [], [], [], 0.0, 0.0
    for clip in clips:
        heard, cost = coder(clip)
        if heard.shape != clip.shape:
            raise ValueError(f"{name}: clip {clip.shape} became {heard.shape}")
        bits, seconds = bits + cost, seconds + len(clip) / sample_rate
        if np.sqrt(np.mean(clip**2)) >= SILENT:
            seen.append(distances(heard, clip))
            heard_something.append(bool(np.any(heard)))
            errors += level_errors(coder, clip, sample_rate)
    if not seen:
        raise ValueError(f"{name}: no clip above {SILENT} root mean square to score")
    mel, sdr = np.mean(np.asarray(seen, np.float64), axis=0)
    return Row(
        name=name,
        mel=float(mel),
        si_sdr=float(sdr) if all(heard_something) else math.nan,
        kbps=bits / seconds / 1000,
        level=float(np.median(errors)) if all(heard_something) else math.nan,
        near=float(np.mean(np.abs(errors) <= NEAR)),
        clips=len(seen),
    )


def codec_table(
    variables: Any,
    cfg: CodecConfig,
    test_clips: Sequence[np.ndarray],
    train_clips: Sequence[np.ndarray],
    *,
    seed: int = 0,
) -> list[Row]:
    """All rows, over held-out clips; `train_clips` of one length fit the k-means.

    Args:
      variables: {"params", "codebooks"} of the codec.
      test_clips, train_clips: [N] float32 at the codec's rate.
    """
    untrained = untrained_variables(cfg, np.stack(train_clips[:UNTRAINED_CLIPS]), seed)
    coders = {
        "codec": codec_coder(variables, cfg),
        "untrained codec": codec_coder(untrained, cfg),
        "silence": silence_coder,
        "k-means of log-mel, Griffin-Lim": kmeans_mel_coder(
            train_clips, cfg, seed=seed
        ),
        "Opus, 24 kHz, lowest rate": opus_coder(cfg.sample_rate),
    }
    return [
        score(name, coder, test_clips, cfg.sample_rate)
        for name, coder in coders.items()
    ]


def markdown(rows: Sequence[Row]) -> str:
    """The table for a model card."""

    def number(value: float, digits: int) -> str:
        return "n/a" if math.isnan(value) else f"{value:.{digits}f}"

    lines = [
        "| coder | mel distance (decades) | SI-SDR (dB) | kbit/s | level error (dB)"
        " | within 1 dB | clips |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.name} | {number(row.mel, 3)} | {number(row.si_sdr, 2)} "
            f"| {number(row.kbps, 2)} | {number(row.level, 2)} "
            f"| {number(row.near, 2)} | {row.clips} |"
        )
    return "\n".join(lines) + "\n"
