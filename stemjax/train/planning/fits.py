"""Cheapest memory setting with which a training step fits a device."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

# Share of a device's memory; the rest holds the runtime's context, buffers of
# collectives and fragments, which no compiler counts.
USABLE = 0.9


class MemorySetting(NamedTuple):
    """Settings that save memory and do not change what is learned.

    Micro-batches weigh equally in the loss (`Task.loss`).
    """

    is_rematerialised: bool
    """Whether the backward pass recomputes the activations of each block."""
    accumulate: int
    """Micro-batches per step."""


class BudgetFit(NamedTuple):
    """Cheapest setting for one memory size."""

    budget: int
    """Memory in bytes."""
    setting: MemorySetting | None
    """The setting; None: none fits."""
    peak: int | None
    """Peak memory in bytes with the setting."""


def settings(share: int) -> tuple[MemorySetting, ...]:
    """Settings to try, cheapest first.

    Neither, then rematerialisation (one more forward pass), then micro-batches, each
    time at least twice as many (equal FLOPs in smaller products), then both.

    Args:
      share: examples of a batch on each device; micro-batches divide it.
    """
    ladder = [1]
    for parts in range(2, share + 1):
        if share % parts == 0 and parts >= 2 * ladder[-1]:
            ladder.append(parts)
    return (
        MemorySetting(False, 1),
        MemorySetting(True, 1),
        *(MemorySetting(False, parts) for parts in ladder[1:]),
        *(MemorySetting(True, parts) for parts in ladder[1:]),
    )


def cheapest(
    budgets: Sequence[int],
    candidates: Iterable[MemorySetting],
    peak_of: Callable[[MemorySetting], int | None],
) -> tuple[BudgetFit, ...]:
    """The first candidate, for each budget in bytes, whose peak is within `USABLE` of it.

    Args:
      peak_of: peak in bytes; None: the compiler needs more memory than the device has.
        Called at most once per candidate, and not after every budget has a setting.
    """
    fits: dict[int, tuple[MemorySetting, int]] = {}
    for setting in candidates:
        if len(fits) == len(set(budgets)):
            break
        peak = peak_of(setting)
        if peak is None:
            continue
        for budget in budgets:
            if budget not in fits and peak <= USABLE * budget:
                fits[budget] = (setting, peak)
    return tuple(BudgetFit(b, *fits.get(b, (None, None))) for b in budgets)
