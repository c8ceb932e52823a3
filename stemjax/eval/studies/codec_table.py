"""Quality of a codec beside coders that are easy to reproduce (EnCodec, sec. 4).

A coder takes a clip [N] float32 at the codec's rate and returns the decoded clip and the
bits it used.  `codec_table` runs the coders over held-out clips:

- the codec; the same architecture untrained, with codebooks from k-means of its latents;
- silence;
- Opus at its lowest rate, 24 kHz, in Ogg; the bits include Ogg's page headers;
- a residual k-means quantizer of log-mel frames with the codec's levels, codes and frame
  rate, decoded by Griffin-Lim.

Columns: multi-scale mel distance (settings of the training loss; in decades, so 0.05 is
1 dB), SI-SDR in dB (undefined for silence), kbit/s; all are means over clips.  Two more
columns are about the level error, the loudness of the output minus that of the input
(K-weighted as in ITU-R BS.1770-4, without gating), of all clips scaled to each of
`INPUT_LEVELS`: its median, and the share of errors within 1 dB.
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
from stemjax.codec.level import k_weights
from stemjax.config.codec import CodecConfig, CodecObjective
from stemjax.config.runs import CodecRun
from stemjax.io.cache import use_numba_cache
from stemjax.tasks import codec as codec_task

Coder = Callable[[np.ndarray], tuple[np.ndarray, float]]

SILENT = 1e-3  # root mean square (-60 dB) below which a clip has no SI-SDR
OPUS_RATE = 24_000  # Hz
MEL_WINDOW = 2048  # samples; STFT window of the k-means coder
MEL_BINS = 80
MEL_FLOOR = 1e-5
GRIFFIN_LIM_ROUNDS = 32
INPUT_LEVELS = (-40.0, -30.0, -20.0, -12.0, -6.0)  # root mean square, dB of full scale
SMALL_ERROR = 1.0  # dB; greatest level error that `small_level_errors` counts
UNTRAINED_CLIPS = 16  # clips whose latents fill the untrained codec's codebooks


@dataclasses.dataclass(frozen=True, kw_only=True)
class CoderScore:
    """Means of one coder over held-out clips; NaN if undefined."""

    name: str
    """Name of the coder."""
    mel: float
    """Multi-scale mel distance in decades."""
    si_sdr: float
    """Scale-invariant signal-to-distortion ratio in dB."""
    kbps: float
    """Bit rate in kbit/s."""
    level_error: float
    """Median level error in dB; positive: the output is louder."""
    small_level_errors: float
    """Share of level errors within 1 dB."""
    clips: int
    """Number of clips that are not silent."""


def codec_coder(variables: Any, cfg: CodecConfig) -> Coder:
    """The codec; a clip is zero-padded to whole frames and cut again.

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
    """Random weights, and codebooks from k-means of their latents of clips [B, N]."""
    task = codec_task.make(CodecRun(steps=1, batch_size=1, model=cfg))
    k_init, k_books = jax.random.split(jax.random.key(seed))
    params, books = jax.jit(task.init)(k_init)  # eager, it compiles op by op
    clips = clips[:, : clips.shape[1] // cfg.hop * cfg.hop]
    audio = np.round(clips * 32_767).astype(np.int16)
    books = jax.jit(task.prepare)(params, books, None, {"audio": audio}, k_books)
    return {"params": params, "codebooks": books}


def silence_coder(clip: np.ndarray) -> tuple[np.ndarray, float]:
    """A coder that returns silence and uses no bits."""
    return np.zeros_like(clip), 0.0


def opus_coder(sample_rate: int) -> Coder:
    """Opus at 24 kHz and libsndfile's lowest rate (6 kbit/s); bits of the whole file.

    Raises:
      RuntimeError: libsndfile was built without Opus.
    """
    import soundfile
    import soxr

    if "OPUS" not in soundfile.available_subtypes("OGG"):
        raise RuntimeError("libsndfile was built without Opus: update soundfile")

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
        decoded, rate = soundfile.read(file, dtype="float32")
        decoded = soxr.resample(decoded, rate, sample_rate, quality="HQ")
        return _with_length(decoded, len(clip)), bits

    return code


def kmeans_mel_coder(
    clips: Iterable[np.ndarray],
    cfg: CodecConfig,
    *,
    iterations: int = 10,
    seed: int = 0,
) -> Coder:
    """Residual k-means of log-mel frames, fitted on `clips`, and Griffin-Lim.

    Levels, codes per level, frame rate and hence bit rate are those of the codec.  The
    filters' pseudo-inverse, clipped at 0, turns mel frames into magnitudes.
    """
    use_numba_cache()
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
        _, quantized, _ = quantize(frames, books)
        magnitude = np.maximum(np.exp(np.asarray(quantized)) @ inverse, 0)
        audio = librosa.griffinlim(
            np.ascontiguousarray(magnitude.T),
            n_iter=GRIFFIN_LIM_ROUNDS,
            hop_length=cfg.hop,
            n_fft=MEL_WINDOW,
            init=None,  # zero phase, so that the result is deterministic
            length=len(clip),
        )
        bits = len(frames) * cfg.num_codebooks * math.log2(cfg.codebook_size)
        return audio.astype(np.float32), bits

    return code


def _with_length(audio: np.ndarray, length: int) -> np.ndarray:
    """Audio cut or zero-padded to `length` samples."""
    return np.pad(audio, (0, max(0, length - len(audio))))[:length]


@functools.cache
def _distances(sample_rate: int) -> Callable:
    """Compiled (decoded [N], clip [N]) -> (mel distance, SI-SDR), shared by all coders."""

    def both(decoded, clip):
        mel = multi_scale_mel_distance(decoded, clip, CodecObjective(), sample_rate)
        return mel, si_sdr(decoded, clip)

    return jax.jit(both)


def loudness(clip: np.ndarray, sample_rate: int) -> float:
    """K-weighted root mean square of a clip [N] in dB; -120 for silence."""
    power = np.abs(np.fft.rfft(clip.astype(np.float64))) ** 2
    mean = 2 * np.sum(power * k_weights(sample_rate, len(clip))) / len(clip) ** 2
    return 10 * math.log10(mean + 1e-12)


def level_errors(coder: Coder, clip: np.ndarray, sample_rate: int) -> list[float]:
    """Level error in dB of a clip [N] that is scaled to each of `INPUT_LEVELS`."""
    root = np.sqrt(np.mean(clip**2))
    scaled = [np.float32(clip / root * 10 ** (level / 20)) for level in INPUT_LEVELS]
    return [
        loudness(coder(audio)[0], sample_rate) - loudness(audio, sample_rate)
        for audio in scaled
    ]


def score(
    name: str, coder: Coder, clips: Iterable[np.ndarray], sample_rate: int
) -> CoderScore:
    """Score of a coder over clips [N] float32; silent clips count only for kbit/s.

    Raises:
      ValueError: no clip above silence, or a coder that changes a clip's length.
    """
    distances = _distances(sample_rate)
    values, has_sound, errors, bits, seconds = [], [], [], 0.0, 0.0
    for clip in clips:
        decoded, cost = coder(clip)
        if decoded.shape != clip.shape:
            raise ValueError(f"{name}: clip {clip.shape} became {decoded.shape}")
        bits, seconds = bits + cost, seconds + len(clip) / sample_rate
        if np.sqrt(np.mean(clip**2)) >= SILENT:
            values.append(distances(decoded, clip))
            has_sound.append(bool(np.any(decoded)))
            errors += level_errors(coder, clip, sample_rate)
    if not values:
        raise ValueError(f"{name}: no clip above {SILENT} root mean square to score")
    mel, sdr = np.mean(np.asarray(values, np.float64), axis=0)
    return CoderScore(
        name=name,
        mel=float(mel),
        si_sdr=float(sdr) if all(has_sound) else math.nan,
        kbps=bits / seconds / 1000,
        level_error=float(np.median(errors)) if all(has_sound) else math.nan,
        small_level_errors=float(np.mean(np.abs(errors) <= SMALL_ERROR)),
        clips=len(values),
    )


def codec_table(
    variables: Any,
    cfg: CodecConfig,
    test_clips: Sequence[np.ndarray],
    train_clips: Sequence[np.ndarray],
    *,
    seed: int = 0,
) -> list[CoderScore]:
    """Scores of all coders over held-out clips.

    Args:
      variables: {"params", "codebooks"} of the codec.
      test_clips: [N] float32 at the codec's rate.
      train_clips: clips of one length that fit the k-means coder, in the same form.
      seed: seed of the untrained codec and of k-means.
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
