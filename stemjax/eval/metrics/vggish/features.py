"""VGGish's input: log-mel patches of one clip, and the windows and gain of FAD.

The front end is that of the released network (tensorflow/models
research/audioset/vggish: mel_features.py, vggish_params.py): frames of 25 ms every 10 ms
that are not centred, so an incomplete tail is dropped; magnitudes, not powers; triangles
that are linear in MEL, where librosa's are linear in Hz; log(mel + 0.01).

What implementations of FAD differ in is a `FadPreset`.  A clip is mono at 16 kHz:
`stemjax.io.audio.to_mono` or `stemjax.eval.populations.clips.load`.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from stemjax.arrays.mel import hann
from stemjax.io.errors import UserError

SAMPLE_RATE = 16_000  # Hz
WINDOW = 400  # samples
HOP = 160  # samples
FFT = 512  # the windowed frame first, then zeros
BANDS = 64
LOWEST, HIGHEST = 125.0, 7500.0  # Hz, outer edges of the first and the last band
LOG_OFFSET = 0.01
FRAMES = 96  # of a patch: 0.96 s
PATCH_SAMPLES = (FRAMES - 1) * HOP + WINDOW  # that its frames touch
INT16 = 32_768.0
LEAST_PEAK = 0.1  # of google-research, meant for floats: "20 dB at most"

_BLOCK = 80  # divides window and hop


@dataclasses.dataclass(frozen=True, kw_only=True)
class FadPreset:
    """One published way from a clip to VGGish embeddings."""

    name: str
    is_normalised: bool
    """Divided by its largest sample (signed), in int16 units by at least 0.1: whatever
    is not silent gets a positive peak of 1."""
    segment: int
    """Samples that one patch is cut out of, from their start."""
    hop: int
    """Samples from one segment to the next."""
    has_relu: bool
    """The last layer's ReLU, as released before August 2020 (tensorflow/models#9080)."""

    def __post_init__(self):
        if self.segment < PATCH_SAMPLES:
            raise ValueError(
                f"segment {self.segment} must be >= {PATCH_SAMPLES} samples, one patch"
            )
        if self.hop < 1 or self.hop % HOP:
            raise ValueError(f"hop {self.hop} must be a positive multiple of {HOP}")


# google-research/frechet_audio_distance, as MusicGen used it
GOOGLE = FadPreset(
    name="google", is_normalised=True, segment=16_000, hop=8_000, has_relu=False
)
# the same with the network of the FAD paper's time (arXiv 1812.08466)
GOOGLE_2018 = dataclasses.replace(GOOGLE, name="google2018", has_relu=True)
# gudgud96/frechet-audio-distance
GUDGUD = FadPreset(
    name="gudgud",
    is_normalised=False,
    segment=PATCH_SAMPLES,
    hop=FRAMES * HOP,
    has_relu=False,
)
PRESETS = {preset.name: preset for preset in (GOOGLE, GOOGLE_2018, GUDGUD)}


def num_patches(samples: int, preset: FadPreset) -> int:
    """Patches of a clip of so many samples at 16 kHz.

    Raises:
      UserError: too short for one.
    """
    if samples < preset.segment:
        raise UserError(
            f"clip of {samples / SAMPLE_RATE:.3f} s: too short for a patch of VGGish;"
            f" preset {preset.name!r} needs >= {preset.segment / SAMPLE_RATE:g} s"
        )
    return 1 + (samples - preset.segment) // preset.hop


@functools.lru_cache
def mel_matrix() -> np.ndarray:
    """64 triangles evenly spaced and linear in mel, peak 1: [257, 64] float64.

    mel = 1127 ln(1 + f / 700).  The row of 0 Hz is zero: the first band starts above.
    """

    def mel(hertz):
        return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)

    edges = np.linspace(mel(LOWEST), mel(HIGHEST), BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    bins = mel(np.arange(FFT // 2 + 1) * SAMPLE_RATE / FFT)[:, None]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return np.maximum(0.0, np.minimum(rising, falling))


def log_mel(audio: jax.Array) -> jax.Array:
    """log(mel magnitude + 0.01) of one clip: [N] -> [T, 64] float32.

    T = 1 + (N - 400) // 160.

    Raises:
      ValueError: N < 400.
    """
    (length,) = audio.shape
    if length < WINDOW:
        raise ValueError(f"audio of {length} samples must be >= {WINDOW}, one frame")
    frames = 1 + (length - WINDOW) // HOP
    # overlapping frames as strided slices of whole blocks: no gather
    blocks = audio[: length // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    stride = HOP // _BLOCK
    last = stride * (frames - 1) + 1
    framed = jnp.concatenate(
        [blocks[i : i + last : stride] for i in range(WINDOW // _BLOCK)], axis=1
    )  # [T, 400]
    window = hann(WINDOW).astype(np.float32)
    magnitude = jnp.abs(jnp.fft.rfft(framed * window, n=FFT))  # [T, 257]
    mel = jnp.dot(
        magnitude,
        mel_matrix().astype(np.float32),
        precision=jax.lax.Precision.HIGHEST,
    )
    return jnp.log(mel + np.float32(LOG_OFFSET))


@functools.partial(jax.jit, static_argnames="preset")
def patches(audio: jax.Array, preset: FadPreset) -> jax.Array:
    """VGGish's input for one clip at 16 kHz, nominally in [-1, 1]: [N] -> [P, 96, 64].

    Segments start on frames of the whole clip and frames are not centred: a patch of
    the clip's log-mel is the patch of its own segment.

    Raises:
      UserError: the clip is too short for a patch.
    """
    count = num_patches(len(audio), preset)
    audio = jnp.asarray(audio, jnp.float32)
    if preset.is_normalised:
        audio = audio / jnp.maximum(LEAST_PEAK / INT16, jnp.max(audio))
    starts = np.arange(count) * (preset.hop // HOP)
    return log_mel(audio)[starts[:, None] + np.arange(FRAMES)]
