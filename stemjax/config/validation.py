"""The validation metric that decides a run's best step, by kind of run."""

BEST_METRIC: dict[str, tuple[str, bool]] = {
    "stemgen": ("accuracy", True),
    "codec": ("mel", False),
}
"""Name of the metric, and whether it should rise."""
