"""Clips that a caller hands over as arrays."""

from collections.abc import Sequence

import numpy as np


def numbered_ids(real: Sequence, generated: Sequence) -> list[str]:
    """Ids of the examples, in order.

    Raises:
      UserError: another number of real than of generated clips.
    """
    from stemjax.io.errors import UserError

    if len(real) != len(generated):
        raise UserError(f"{len(real)} real clips, but {len(generated)} generated ones")
    return [f"{k:08d}" for k in range(len(real))]


def at_analysis_rate(population: Sequence[np.ndarray], rate: int) -> list[np.ndarray]:
    """Clips [N] at `rate` Hz, resampled to 16 kHz and padded to whole seconds.

    Raises:
      UserError: bad audio, or more than one channel.
    """
    from stemjax.analysis.audio import resample, whole_seconds
    from stemjax.io.audio_files.bounds import check_audio
    from stemjax.io.errors import UserError

    clips = []
    for k, clip in enumerate(population):
        audio = check_audio(clip, rate, name=f"clip {k}")
        if audio.shape[1] != 1:
            raise UserError(f"clip {k}: {audio.shape[1]} channels; give mono clips [N]")
        resampled = resample(audio[:, 0], rate)
        clips.append(whole_seconds(np.asarray(resampled, np.float32)))
    return clips
