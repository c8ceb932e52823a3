"""Names of what lies in a workdir, beside run.json, DONE and the logs."""

SERIES = "checkpoints"  # the resumable series, a folder a step
BEST = "best"  # the step with the best validation metric
BROKEN = "broken"  # checkpoints that could not be read
NONFINITE = "nonfinite"  # the last finite state, and the report
REPORT = "report.json"
CLIPS = "clips"
PROFILE = "profile"
TENSORBOARD = "tensorboard"

FOLDERS = frozenset((SERIES, BEST, BROKEN, NONFINITE, CLIPS, PROFILE, TENSORBOARD))
