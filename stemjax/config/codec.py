"""Architectures and training objective of the audio codecs (EnCodec, sec. 3)."""

import dataclasses
import enum
import math
from typing import Protocol

from stemjax.config.numbers import (
    Amount,
    CheckedNumbers,
    Count,
    CropSeconds,
    Decay,
    Depth,
    Fraction,
    Levels,
    NonNegative,
    Positive,
    SampleRate,
    Width,
)
from stemjax.config.train import OptimConfig


class PadMode(enum.Enum):
    """Padding of a signal at its ends."""

    REFLECT = "reflect"
    CONSTANT = "constant"
    REPLICATE = "replicate"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecConfig(CheckedNumbers):
    """SEANet encoder and decoder with LSTM and a residual vector quantizer.

    Names and defaults are those of the published 32 kHz EnCodec (`EncodecConfig` of
    the Hugging Face layout): 32,000 Hz, hop 640, 50 frames/s, 4 x 2048 codes.
    """

    sample_rate: SampleRate = 32_000
    """Hz."""
    audio_channels: Count = 1
    """Channels of the audio; only 1 is supported."""
    num_filters: Width = 64
    """Channels of the convolutions at the sample rate; each stride doubles them."""
    upsampling_ratios: tuple[Width, ...] = (8, 5, 4, 4)
    """Strides of the decoder, in its order; their product is the hop."""
    num_residual_layers: Depth = 1
    """Residual blocks per stride."""
    kernel_size: Width = 7
    """Kernel of the first convolution, in samples (decoder: frames)."""
    last_kernel_size: Width = 7
    """Kernel of the last convolution, in frames (decoder: samples)."""
    residual_kernel_size: Width = 3
    """Kernel of the residual blocks, in samples."""
    dilation_growth_rate: Width = 2
    """Ratio of the dilations of consecutive residual blocks."""
    compress: Width = 2
    """Ratio of a residual block's channels to its hidden channels."""
    num_lstm_layers: Depth = 2
    """Layers of the LSTM."""
    hidden_size: Width = 128
    """Width D of the latent frames."""
    num_codebooks: Levels = 4
    """Codebook levels Q."""
    codebook_size: Width = 2048
    """Codes per codebook, V."""
    use_causal_conv: bool = False
    """Pad convolutions on the left only."""
    use_conv_shortcut: bool = False
    """Residual blocks add a convolution of size 1 instead of the identity."""
    trim_right_ratio: Fraction = 1.0
    """Share of a causal transposed convolution's surplus that is cut on the right."""
    pad_mode: PadMode = PadMode.REFLECT
    """Padding of the convolutions."""

    def __post_init__(self):
        super().__post_init__()
        if self.audio_channels != 1:
            raise ValueError(f"audio_channels {self.audio_channels}: give 1")
        if not 1 <= len(self.upsampling_ratios) <= 16:
            raise ValueError("upsampling_ratios must be 1 to 16 numbers")

    @property
    def hop(self) -> int:
        """Samples per frame."""
        return math.prod(self.upsampling_ratios)

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop

    def frames(self, samples: int) -> int:
        """Number of frames of `samples` samples; the last frame is padded."""
        return -(-samples // self.hop)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Band(CheckedNumbers):
    """A spectrum with bands spaced evenly in log frequency."""

    window: Width
    """Samples of the Hann window."""
    low: Positive
    """Centre of the first band, in Hz."""
    high: Positive
    """Centre of the last band, in Hz."""
    bands: Width
    """Number of bands."""
    rate: Width = 1
    """Spectra per frame."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class OscillatorCodecConfig(CheckedNumbers):
    """Codec of magnitude spectra; its decoder synthesizes with oscillators and noise.

    The codes hold no phase.
    """

    sample_rate: SampleRate = 32_000
    """Hz."""
    hop: Width = 640
    """Samples per frame."""
    bands: tuple[Band, ...] = (
        Band(window=7_680, low=32.0, high=1_000.0, bands=120),
        Band(window=3_840, low=500.0, high=8_000.0, bands=97),
        Band(window=640, low=100.0, high=15_000.0, bands=32, rate=4),
    )
    """Spectra that the encoder reads."""
    width: Width = 256
    """Channels of the convolutions at the frame rate."""
    encoder_dilations: tuple[Width, ...] = (1, 1, 2, 1)
    """Dilations of the encoder's blocks, in frames."""
    hidden_size: Width = 128
    """Width D of the latent frames."""
    num_codebooks: Levels = 4
    """Codebook levels Q."""
    codebook_size: Width = 2048
    """Codes per codebook, V."""
    decoder_dilations: tuple[Width, ...] = (1, 2, 4, 1, 2, 1)
    """Dilations of the decoder's blocks at the frame rate, in frames."""
    steps_per_frame: Width = 4
    """Synthesis steps per frame."""
    step_width: Width = 128
    """Channels of the convolutions at the rate of the synthesis steps."""
    step_dilations: tuple[Width, ...] = (1, 2, 1)
    """Dilations of the decoder's blocks at the rate of the steps, in steps."""
    lowest: Positive = 27.5
    """Frequency of the lowest oscillator, in Hz."""
    highest: Positive = 14_000.0
    """Limit of the highest oscillator, in Hz."""
    noise_bands: Width = 48
    """Bands of the filtered noise."""
    level_units: NonNegative = 0.0
    """Scale of the latent channel that holds a frame's level, in units per decade; 0: no
    such channel, the spectra hold the level."""
    level_window: Width = 7_680
    """Window over which the level of a frame is measured, in samples."""
    level_priority: tuple[Positive, ...] = ()
    """Factors of the level's channel in the distances of the last codebooks; earlier
    codebooks have the first factor; empty: 1."""

    @property
    def level_channels(self) -> int:
        """Latent channels that hold the level of a frame: the first one, or none."""
        return 1 if self.level_units else 0

    def __post_init__(self):
        super().__post_init__()
        if not 1 <= len(self.bands) <= 64:
            raise ValueError("bands must be 1 to 64 spectra")

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop

    def frames(self, samples: int) -> int:
        """Number of frames of `samples` samples; the last frame is padded."""
        return -(-samples // self.hop)


AnyCodecConfig = CodecConfig | OscillatorCodecConfig


class CodecIdentity(Protocol):
    """What tells a codec from others: a loaded codec, or a file that refers to one."""

    @property
    def sha256(self) -> str:
        """Digest of the weights' file."""

    @property
    def config_sha256(self) -> str:
        """Digest of the config; "" in files of versions that did not record it."""


def is_same_codec(a: CodecIdentity, b: CodecIdentity) -> bool:
    """Whether two codecs have the same weights and, where both are known, configs."""
    configs = {a.config_sha256, b.config_sha256} - {""}
    return a.sha256 == b.sha256 and len(configs) <= 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecObjective(CheckedNumbers):
    """Losses and codebook updates of codec training (EnCodec, sec. 3.4)."""

    mel_weight: NonNegative = 1.0
    """Weight of the multi-scale log-mel distance."""
    wave_weight: NonNegative = 0.1
    """Weight of the mean absolute difference of samples."""
    sisdr_weight: NonNegative = 0.0
    """Weight of -SI-SDR / 10, in dB."""
    commit_weight: NonNegative = 0.25
    """Weight of the commitment loss."""
    mel_windows: tuple[Count, ...] = (64, 128, 256, 512, 1024, 2048)
    """Windows of the log-mel distance, in samples."""
    mel_bins: Count = 64
    """Most mel bands per window; a window of n samples has at most n / 8."""
    mel_floor: Positive = 1e-5
    """Least mel magnitude; 1 is noise of full scale."""
    mel_l2_weight: NonNegative = 0.0
    """Weight of the root mean square term of the log-mel distance."""
    tone_weight: NonNegative = 0.0
    """Weight of the distance of root magnitudes in bands as narrow as notes."""
    tone_bands: tuple[Band, ...] = (
        Band(window=8_192, low=32.0, high=1_000.0, bands=120),
        Band(window=4_096, low=500.0, high=8_000.0, bands=97),
    )
    """Spectra of that distance."""
    spectrum_weight: NonNegative = 0.0
    """Weight of the spectrum loss of an oscillator codec."""
    ema_decay: Decay = 0.99
    """Decay per step of the codebooks' moving averages."""
    dead_threshold: NonNegative = 0.1
    """Codes used less than this share of the mean count are restarted."""
    kmeans_iterations: Count = 10
    """Iterations of k-means that initialize the codebooks."""
    level_dropout: Fraction = 0.0
    """Share of examples that are decoded from fewer levels."""
    crop_seconds: CropSeconds = 1.0
    """Length of the training crops, in seconds."""
    crop_levels: tuple[float, ...] = ()
    """Range of the random level of a training crop: least and greatest root mean square,
    in dB of full scale; empty: crops keep their level."""
    synthetic_share: Fraction = 0.0
    """Share of the training crops that are replaced by synthetic tones."""
    continuous_steps: Amount = 0
    """First steps of a run, during which latents are not quantized."""
    freeze_codes: bool = False
    """Train only the decoder; codes do not change and token stores stay valid."""


class Spectrum(enum.Enum):
    """Input of a discriminator, computed from a short-time Fourier transform."""

    COMPLEX = "complex"
    """Real and imaginary parts."""
    LOG_MAGNITUDE = "log-magnitude"
    """Log magnitudes, for a codec that codes no phase."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(CheckedNumbers):
    """Multi-scale STFT discriminator (EnCodec, sec. 3.4), small enough for a CPU.

    The published one has windows of 128 to 2048 and 32 channels.
    """

    windows: tuple[Count, ...] = (512, 2048)
    """One scale per window, in samples; the hop is a quarter of it."""
    channels: Count = 8
    """Channels of the convolutions."""
    dilations: tuple[Count, ...] = (1, 2, 4)
    """Dilations in frames, one layer each; each layer halves the frequency bins."""
    spectrum: Spectrum = Spectrum.COMPLEX
    """Input of the convolutions."""

    def __post_init__(self):
        super().__post_init__()
        # window / 2 bins, halved by the first layer and by one layer per dilation
        factor = 2 ** (len(self.dilations) + 2)
        for window in self.windows:
            if window <= 0 or window % factor:
                raise ValueError(f"windows must be multiples of {factor}, got {window}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdversarialObjective(CheckedNumbers):
    """Adversarial losses of codec training; without a weight, no discriminator."""

    weight: NonNegative = 0.0
    """Weight of the generator's hinge loss."""
    matching_weight: NonNegative = 0.0
    """Weight of the distance of the discriminator's features."""
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    """Architecture of the discriminator."""
    optim: OptimConfig = OptimConfig(
        peak_lr=3e-4, warmup_steps=0, beta1=0.5, beta2=0.9, weight_decay=0.0
    )
    """Optimiser of the discriminator."""

    @property
    def is_on(self) -> bool:
        """Whether a discriminator is trained."""
        return self.weight > 0 or self.matching_weight > 0
