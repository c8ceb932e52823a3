"""Names of the distances between populations in reports."""

import enum


class Metric(enum.Enum):
    """Keys of `metrics.json`."""

    FAD = "fad"
    """Frechet audio distance; requires verified weights of VGGish."""
    FD_LOGMEL = "fd_logmel"
    """Frechet distance of log-mel statistics."""
    FD_CODEC = "fd_codec"
    """Frechet distance of the codec's latents."""
    MIRDD = "mirdd"
    """Music information retrieval descriptor distance, eleven descriptors."""
    MIRDD_9 = "mirdd_9"
    """MIRDD without beats per bar and structure."""
    MIRDD_REL = "mirdd_rel"
    """Distance of pitch classes and triads relative to the tonic."""


TITLES = {
    Metric.FAD: "FAD",
    Metric.FD_LOGMEL: "FD-logmel",
    Metric.FD_CODEC: "FD-codec",
    Metric.MIRDD: "MIRDD",
    Metric.MIRDD_9: "MIRDD-9",
    Metric.MIRDD_REL: "MIRDD-rel",
}
"""Metric -> name for people."""
