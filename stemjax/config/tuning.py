"""Values of decoding settings that `evaluate.py tune` tries, one setting at a time."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ladders:
    """What each setting is given; the others stay as they are meanwhile."""

    scales: tuple[float, ...] = (1.0, 1.5, 2.0, 3.0, 4.0)
    """Of all guidance sources together, then of each alone."""
    w_causal: tuple[float, ...] = (0.0, 0.05, 0.1, 0.2)
    w_conf: tuple[float, ...] = (0.05, 0.1, 0.3)
    temperature: tuple[float, ...] = (0.8, 0.9, 1.0, 1.1)


MAX_RUNGS = 5
"""Numbers of steps: the release's own and its halvings; from 128, 64, 32, 32 down to
8, 4, 2, 2, the grid `steps`."""
EXAMPLES = 200  # of each setting where --n does not say: the least for a headline


def halvings(steps: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """The steps per level and their halvings, the most first, none below 1."""
    rungs = [steps]
    while len(rungs) < MAX_RUNGS and max(rungs[-1]) > 1:
        rungs.append(tuple(max(1, s // 2) for s in rungs[-1]))
    return tuple(rungs)
