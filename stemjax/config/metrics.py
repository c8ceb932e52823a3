"""The names under which distances of populations are reported."""

import enum


class Metric(enum.Enum):
    """Keys of `metrics.json`. Only VGGish with verified weights may write `FAD`."""

    FAD = "fad"
    FD_LOGMEL = "fd_logmel"
    FD_CODEC = "fd_codec"
    MIRDD = "mirdd"
    MIRDD_9 = "mirdd_9"
    MIRDD_REL = "mirdd_rel"


TITLES = {
    Metric.FAD: "FAD",
    Metric.FD_LOGMEL: "FD-logmel",
    Metric.FD_CODEC: "FD-codec",
    Metric.MIRDD: "MIRDD",
    Metric.MIRDD_9: "MIRDD-9",
    Metric.MIRDD_REL: "MIRDD-rel",
}
