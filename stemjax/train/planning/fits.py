"""The cheapest way to make a training step fit a device's memory."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

# Of a device's memory; the rest is the runtime's context, the collectives' buffers and
# fragments, which no compiler counts.
USABLE = 0.9


class Setting(NamedTuple):
    """How a step saves memory; neither changes what is learned (accumulation: up to
    the weights of micro-batches, `Task.loss`)."""

    is_rematerialised: bool  # activations of a block are made again in its backward
    accumulate: int  # micro-batches


class Fit(NamedTuple):
    """A budget in bytes, and the setting that fits it and its peak; None: none does."""

    budget: int
    setting: Setting | None
    peak: int | None


def settings(share: int) -> tuple[Setting, ...]:
    """What can be tried, cheapest first.

    Nothing, then rematerialisation (a forward more), then micro-batches, each step
    at least twice as many (the same FLOPs in smaller products), then both.

    share: examples of a batch on each device; micro-batches divide it.
    """
    ladder = [1]
    for parts in range(2, share + 1):
        if share % parts == 0 and parts >= 2 * ladder[-1]:
            ladder.append(parts)
    return (
        Setting(False, 1),
        Setting(True, 1),
        *(Setting(False, parts) for parts in ladder[1:]),
        *(Setting(True, parts) for parts in ladder[1:]),
    )


def cheapest(
    budgets: Sequence[int],
    candidates: Iterable[Setting],
    peak_of: Callable[[Setting], int | None],
) -> tuple[Fit, ...]:
    """The first candidate whose peak is within `USABLE` of each budget (bytes).

    peak_of: bytes; None: the compiler refused it for want of memory. It is called at
      most once for a candidate, and not once every budget has its setting.
    """
    found: dict[int, tuple[Setting, int]] = {}
    for setting in candidates:
        if len(found) == len(set(budgets)):
            break
        peak = peak_of(setting)
        if peak is None:
            continue
        for budget in budgets:
            if budget not in found and peak <= USABLE * budget:
                found[budget] = (setting, peak)
    return tuple(Fit(b, *found.get(b, (None, None))) for b in budgets)
