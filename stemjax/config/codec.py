"""Architecture and training objective of the EnCodec-type audio codec."""

import dataclasses
import enum
import math


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
class CodecObjective:
    """Losses and codebook updates of codec training (EnCodec, sec. 3.4; no GAN yet)."""

    mel_weight: float = 1.0  # multi-scale log-mel L1 (+ L2) distance
    wave_weight: float = 0.1  # L1 of samples
    sisdr_weight: float = 0.0  # negative SI-SDR in dB, scaled by 1/10
    commit_weight: float = 0.25
    mel_windows: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048)  # samples
    mel_bins: int = 64  # at most; a window of n samples has n / 8
    mel_floor: float = 1e-5  # mel magnitudes below it are equal; 1 = full scale noise
    mel_l2_weight: float = 0.0  # root mean square term beside the absolute one
    ema_decay: float = 0.99
    dead_threshold: float = 0.1  # of the mean count: codes used less are restarted
    kmeans_iterations: int = 10
    level_dropout: float = 0.0  # share of examples decoded from fewer levels
    crop_seconds: float = 1.0
