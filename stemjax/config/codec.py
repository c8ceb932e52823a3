"""Architecture and training objective of the EnCodec-type audio codec."""

import dataclasses
import enum
import math

from stemjax.config.train import OptimConfig


class PadMode(enum.Enum):
    """How convolutions extend a signal at its ends."""

    REFLECT = "reflect"
    CONSTANT = "constant"
    REPLICATE = "replicate"


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecConfig:
    """SEANet encoder and decoder with LSTM and a residual vector quantizer.

    Names and defaults are those of the published 32 kHz EnCodec (`EncodecConfig` of
    the Hugging Face layout): 32,000 Hz, hop 640, 50 frames/s, 4 x 2048 codes.
    """

    sample_rate: int = 32_000  # Hz
    audio_channels: int = 1
    num_filters: int = 64
    upsampling_ratios: tuple[int, ...] = (8, 5, 4, 4)  # decoder order
    num_residual_layers: int = 1
    kernel_size: int = 7
    last_kernel_size: int = 7
    residual_kernel_size: int = 3
    dilation_growth_rate: int = 2
    compress: int = 2
    num_lstm_layers: int = 2
    hidden_size: int = 128  # width of the latent frames, D
    num_codebooks: int = 4  # Q
    codebook_size: int = 2048  # V
    use_causal_conv: bool = False
    use_conv_shortcut: bool = False
    trim_right_ratio: float = 1.0
    pad_mode: PadMode = PadMode.REFLECT

    @property
    def hop(self) -> int:
        """Samples per frame."""
        return math.prod(self.upsampling_ratios)

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop

    def frames(self, samples: int) -> int:
        """Frames that `samples` samples are encoded to (the last one padded)."""
        return -(-samples // self.hop)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Band:
    """One of the spectra that the encoder hears."""

    window: int  # samples
    low: float  # Hz, the first filter's centre
    high: float
    bands: int
    rate: int = 1  # spectra per frame


@dataclasses.dataclass(frozen=True, kw_only=True)
class OscillatorCodecConfig:
    """Spectra in, residual vector quantizer, oscillators and noise out: no phase coded."""

    sample_rate: int = 32_000  # Hz
    hop: int = 640  # samples per frame
    bands: tuple[Band, ...] = (
        Band(window=7_680, low=32.0, high=1_000.0, bands=120),
        Band(window=3_840, low=500.0, high=8_000.0, bands=97),
        Band(window=640, low=100.0, high=15_000.0, bands=32, rate=4),
    )
    width: int = 256  # of the convolutions at the frame rate
    encoder_dilations: tuple[int, ...] = (1, 1, 2, 1)
    hidden_size: int = 128  # width of the latent frames, D
    num_codebooks: int = 4  # Q
    codebook_size: int = 2048  # V
    decoder_dilations: tuple[int, ...] = (1, 2, 4, 1, 2, 1)
    steps_per_frame: int = 4  # of the synthesis
    step_width: int = 128
    step_dilations: tuple[int, ...] = (1, 2, 1)
    lowest: float = 27.5  # Hz, of the oscillators
    highest: float = 14_000.0
    noise_bands: int = 48
    level_units: float = 0.0  # of the latents per decade of level; 0: not coded apart
    level_window: int = 7_680  # samples that a frame's level is measured in
    level_priority: tuple[float, ...] = ()  # of that channel at each quantizer level

    def __post_init__(self):
        if self.level_units and len(self.level_priority) != self.num_codebooks:
            raise ValueError(
                f"level_priority {self.level_priority} must have one number for each of"
                f" the {self.num_codebooks} codebooks"
            )

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop

    def frames(self, samples: int) -> int:
        """Frames that `samples` samples are encoded to (the last one padded)."""
        return -(-samples // self.hop)


AnyCodecConfig = CodecConfig | OscillatorCodecConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class CodecObjective:
    """Losses and codebook updates of codec training (EnCodec, sec. 3.4)."""

    mel_weight: float = 1.0  # multi-scale log-mel L1 (+ L2) distance
    wave_weight: float = 0.1  # L1 of samples
    sisdr_weight: float = 0.0  # negative SI-SDR in dB, scaled by 1/10
    commit_weight: float = 0.25
    mel_windows: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048)  # samples
    mel_bins: int = 64  # at most; a window of n samples has n / 8
    mel_floor: float = 1e-5  # mel magnitudes below it are equal; 1 = full scale noise
    mel_l2_weight: float = 0.0  # root mean square term beside the absolute one
    tone_weight: float = 0.0  # distance of root magnitudes in bands as narrow as notes
    tone_bands: tuple[Band, ...] = (
        Band(window=8_192, low=32.0, high=1_000.0, bands=120),
        Band(window=4_096, low=500.0, high=8_000.0, bands=97),
    )
    spectrum_weight: float = 0.0  # of the spectra that an oscillator codec plays from
    ema_decay: float = 0.99
    dead_threshold: float = 0.1  # of the mean count: codes used less are restarted
    kmeans_iterations: int = 10
    level_dropout: float = 0.0  # share of examples decoded from fewer levels
    crop_seconds: float = 1.0
    crop_levels: tuple[float, ...] = ()  # least and most dB of full scale, RMS
    made_share: float = 0.0  # of crops that are made of a few partials
    continuous_steps: int = 0  # at first, in which latents are not quantized
    freeze_codes: bool = False  # the decoder alone learns: token stores stay valid


class Spectrum(enum.Enum):
    """What a discriminator sees of a short-time Fourier transform."""

    COMPLEX = "complex"  # real and imaginary parts
    LOG_MAGNITUDE = "log-magnitude"  # for a codec that makes up its own phase


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig:
    """Multi-scale STFT discriminator (EnCodec, sec. 3.4), small enough for a CPU.

    The published one has windows of 128 to 2048 and 32 channels.
    """

    windows: tuple[int, ...] = (512, 2048)  # samples; the hop is a quarter
    channels: int = 8
    dilations: tuple[int, ...] = (1, 2, 4)  # in time; each layer halves the frequencies
    spectrum: Spectrum = Spectrum.COMPLEX

    def __post_init__(self):
        whole = 2 ** (len(self.dilations) + 2)  # bins: window / 2, halved by each layer
        for window in self.windows:
            if window <= 0 or window % whole:
                raise ValueError(f"windows must be multiples of {whole}, got {window}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdversarialObjective:
    """What a discriminator adds to the codec's losses; both weights 0: there is none."""

    weight: float = 0.0  # hinge loss of the generator
    matching_weight: float = 0.0  # distance of the discriminator's features
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    optim: OptimConfig = OptimConfig(
        peak_lr=3e-4, warmup_steps=0, beta1=0.5, beta2=0.9, weight_decay=0.0
    )  # of the discriminator

    @property
    def is_on(self) -> bool:
        """Whether there is a discriminator."""
        return self.weight > 0 or self.matching_weight > 0
