"""Orbax checkpoints of a run, the newest k and the best, written in the background.

`workdir/checkpoints/STEP` is the resumable series, `workdir/best/STEP` the step with the
best validation metric.  Each holds `model` (params, ema, model_state), `optimiser` and
`host` (JSON: the state of logging and early stopping).
"""

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Iterator
from typing import Any

import absl.logging
import jax
import orbax.checkpoint as ocp
from etils import epath

from stemjax.io.errors import UserError
from stemjax.io.process.signals import CONTINUES
from stemjax.io.remote import absolute, as_path, is_remote, move_tree, remove_tree
from stemjax.train import processes
from stemjax.train.layout import BEST, BROKEN, SERIES
from stemjax.train.state import TrainState

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)
"""Errors that are long sentences of tensorstore otherwise."""


@contextlib.contextmanager
def open_series(
    folder: str | os.PathLike, keep: int
) -> Iterator[ocp.CheckpointManager]:
    """Manager that keeps the newest `keep` steps in one folder.

    Raises:
      UserError: on leaving, a checkpoint could not be written.
    """
    _raise_without_logging()
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep,
        step_prefix=None,
        cleanup_tmp_directories=True,
        enable_async_checkpointing=True,
        # Where a folder cannot be made, the threads that wait for it would wait for
        # `timeout_secs`, 20 minutes.
        async_options=ocp.AsyncOptions(create_directories_asynchronously=False),
        # Two series save at the same time.  With equal names they would wait at each
        # other's barriers, in a different order in every process.
        multiprocessing_options=ocp.options.MultiprocessingOptions(
            barrier_sync_key_prefix=epath.Path(folder).name
        ),
    )
    handlers = {
        "model": ocp.StandardCheckpointHandler(),
        "optimiser": ocp.StandardCheckpointHandler(),
        "host": ocp.JsonCheckpointHandler(),
    }
    manager = ocp.CheckpointManager(
        absolute(folder), options=options, item_handlers=handlers
    )
    try:
        yield manager
        wait(manager)
    except BaseException:
        with contextlib.suppress(Exception):  # the first error counts
            manager.close()
        raise
    manager.close()


def _raise_without_logging() -> None:
    """Let orbax and tensorstore raise their errors, and not print them too."""
    absl.logging.set_verbosity(absl.logging.FATAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # futures that nobody reads
    sys.unraisablehook = _without_late_writes


def drop_surplus(folder: str | os.PathLike, keep: int) -> None:
    """Delete the old steps that a killed process had no time to delete.

    In a bucket, where a step without its last file is no checkpoint, the manager deletes
    them at its next save.
    """
    if is_remote(folder) or not os.path.isdir(folder):
        return
    steps = sorted(int(name) for name in os.listdir(folder) if name.isdecimal())
    for step in steps[:-keep]:
        remove_tree(os.path.join(folder, str(step)))


def save(manager: ocp.CheckpointManager, state: TrainState, host: dict) -> None:
    """Start writing the state; return when the arrays are copied.

    Raises:
      UserError: this checkpoint, or the one before, could not be written.
    """
    step = int(state.step)
    if step in manager.all_steps():
        return  # the same step of the same run: the same state
    with _write_errors(manager):
        manager.save(
            step,
            args=ocp.args.Composite(
                model=ocp.args.StandardSave(_model_part(state)),
                optimiser=ocp.args.StandardSave(_optimiser_part(state)),
                host=ocp.args.JsonSave(host),
            ),
        )


def wait(manager: ocp.CheckpointManager) -> None:
    """Wait until the last checkpoint is written.

    Raises:
      UserError: it could not be written.
    """
    with _write_errors(manager):
        manager.wait_until_finished()


@contextlib.contextmanager
def _write_errors(manager: ocp.CheckpointManager) -> Iterator[None]:
    """Turn what orbax raises into one `UserError`."""
    try:
        yield
    except Exception as error:
        reasons = [os.strerror(number) for number in DISK_ERRORS]
        reason = next((r for r in reasons if r in str(error)), str(error)[:300])
        raise UserError(
            f"{manager.directory}: a checkpoint cannot be written ({reason}); check rights"
            f" and disk space, then {CONTINUES} from the last whole one"
        ) from error


def _without_late_writes(unraisable: Any) -> None:
    """Print an error that cannot be raised, as `sys.unraisablehook`.

    After a write that failed, tensorstore says of the others that orbax waits no longer.
    """
    if str(unraisable.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(unraisable)


def _model_part(state: TrainState) -> dict[str, Any]:
    part = {"params": state.params, "model_state": state.model_state}
    return part | ({} if state.ema is None else {"ema": state.ema})


def _optimiser_part(state: TrainState) -> dict[str, Any]:
    return {"step": state.step, "opt_state": state.opt_state}


def restore_newest(
    manager: ocp.CheckpointManager, abstract: TrainState, shardings: TrainState
) -> tuple[TrainState, dict] | None:
    """The newest checkpoint that can be read: state and host record.

    A broken checkpoint is reported, and the one before it is read.  Broken checkpoints
    are moved out of the series once one has been read.

    Args:
      abstract: shapes and types of the state.
      shardings: of the state.

    Returns:
      The state, without `root_key` and `is_finite`, which are not stored, and the host
      record.  None: a new workdir.

    Raises:
      UserError: there are checkpoints, and none can be read.
    """
    steps = sorted(manager.all_steps(), reverse=True)
    target = jax.tree.map(
        lambda a, s: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=s),
        abstract._replace(root_key=None, is_finite=None),
        shardings._replace(root_key=None, is_finite=None),
    )
    broken: list[int] = []
    for step in steps:
        try:
            items = manager.restore(
                step,
                args=ocp.args.Composite(
                    model=ocp.args.StandardRestore(_model_part(target)),
                    optimiser=ocp.args.StandardRestore(_optimiser_part(target)),
                    host=ocp.args.JsonRestore(),
                ),
            )
            reason = None
        except Exception as error:  # noqa: BLE001  (orbax raises many types)
            reason = " ".join(str(error).split())[:200]
        if not processes.is_true_everywhere(reason is None):
            reason = reason or "another process failed"
            print(f"checkpoint {step} cannot be read ({reason}); trying the one before")
            broken.append(step)
            continue
        if broken:
            if processes.is_writer():
                for bad in broken:
                    _move_out(manager.directory, bad)
            processes.wait_for_all("moved broken checkpoints out")
            manager.reload()
        model, optimiser = items["model"], items["optimiser"]
        state = TrainState(
            step=optimiser["step"],
            params=model["params"],
            model_state=model["model_state"],
            opt_state=optimiser["opt_state"],
            ema=model.get("ema"),
            root_key=None,
            is_finite=None,
        )
        return state, items["host"]
    if broken:
        raise UserError(
            f"{manager.directory}: no checkpoint of {broken} can be read;"
            " restore the folder from a copy or start in another workdir"
        )
    return None


def _move_out(series: epath.Path, step: int) -> None:
    """Move a broken checkpoint out of the series, into `workdir/broken`."""
    move_tree(series / str(step), series.parent / BROKEN / str(step))


def restore_params(
    workdir: str | os.PathLike, *, newest: bool = False
) -> tuple[dict, dict, int]:
    """Weights of a workdir's best step, else of its newest, on the default device.

    Args:
      newest: read the newest step instead of the best.

    Returns:
      Parameters (the average, if one was kept), model state, step.

    Raises:
      UserError: no checkpoint that can be read.
    """
    workdir = as_path(workdir)
    for name in (SERIES,) if newest else (BEST, SERIES):
        if not (workdir / name).is_dir():
            continue
        with open_series(workdir / name, keep=1_000_000) as manager:
            for step in sorted(manager.all_steps(), reverse=True):
                try:
                    model = _restore_model_item(manager, step)
                except Exception as error:  # noqa: BLE001
                    print(f"{workdir / name / str(step)} cannot be read: {error}")
                    continue
                params = model.get("ema", model["params"])
                return params, model.get("model_state") or {}, step
    raise UserError(f"{workdir}: no checkpoint that can be read; train it first")


def _restore_model_item(manager: ocp.CheckpointManager, step: int) -> dict:
    """The `model` item on one device, from any mesh."""
    tree = manager.item_metadata(step)["model"]
    device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    target = jax.tree.map(
        lambda m: jax.ShapeDtypeStruct(m.shape, m.dtype, sharding=device), dict(tree)
    )
    args = ocp.args.Composite(model=ocp.args.StandardRestore(target))
    return manager.restore(step, args=args)["model"]
