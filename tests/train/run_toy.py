"""The toy as a program: `python -m tests.train.run_toy WORKDIR STEPS [SECONDS]`.

SECONDS is how long each batch from the third on takes to come: a signal that is sent
once two steps are logged finds the run at work, however busy the machine.
The mesh is whatever devices there are: MESH="2,2,2" in the environment shapes it.
PROCESS="HOST:PORT,2,0" makes it process 0 of 2.
"""

import dataclasses
import os
import sys
import time

from stemjax.config.runs import Invocation
from stemjax.config.train import MeshConfig
from stemjax.train import processes
from stemjax.train.loop import TrainingParts, fit
from stemjax.train.step import mesh_of
from tests.train import toy

QUICK_STEPS = 2


def main() -> int:
    workdir, steps = sys.argv[1], int(sys.argv[2])
    pause = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    sizes = [int(n) for n in os.environ.get("MESH", "-1,1,1").split(",")]
    run = dataclasses.replace(
        toy.RUN,
        steps=steps,
        mesh=MeshConfig(data=sizes[0], fsdp=sizes[1], tensor=sizes[2]),
    )
    processes.join(invocation())
    share = processes.share_of_batch(mesh_of(run), run.batch_size)

    def slow_batches(start):
        batches = toy.train_batches(run.batch_size, share)(start)
        for step, batch in enumerate(batches, start):
            time.sleep(pause if step >= QUICK_STEPS else 0.0)
            yield batch

    with processes.ending_together():
        parts = TrainingParts(
            task=toy.TASK,
            run=run,
            frozen=toy.FROZEN,
            train_batches=slow_batches,
            eval_batches=toy.eval_batches(run.batch_size, share),
        )
        return fit(parts, workdir)


def invocation() -> Invocation:
    """This process's place among the others, from the environment."""
    if "PROCESS" not in os.environ:
        return Invocation()
    host, count, number = os.environ["PROCESS"].split(",")
    return Invocation(
        coordinator=host, num_processes=int(count), process_id=int(number)
    )


if __name__ == "__main__":
    sys.exit(main())
