"""The toy as a program: `python -m tests.train.run_toy WORKDIR STEPS [SECONDS]`.

SECONDS is how long each batch takes to come, so that a signal finds the run at work.
The mesh is whatever devices there are: MESH="2,2,2" in the environment shapes it.
"""

import dataclasses
import os
import sys
import time

from stemjax.config.train import MeshConfig
from stemjax.train.loop import fit
from tests.train import toy


def main() -> int:
    workdir, steps = sys.argv[1], int(sys.argv[2])
    pause = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    sizes = [int(n) for n in os.environ.get("MESH", "-1,1,1").split(",")]

    def slow_batches(start):
        for batch in toy.train_batches(toy.RUN.batch_size)(start):
            time.sleep(pause)
            yield batch

    run = dataclasses.replace(
        toy.RUN,
        steps=steps,
        mesh=MeshConfig(data=sizes[0], fsdp=sizes[1], tensor=sizes[2]),
    )
    return fit(
        toy.TASK,
        run,
        frozen=toy.FROZEN,
        train_batches=slow_batches,
        eval_batches=toy.eval_batches(toy.RUN.batch_size),
        workdir=workdir,
    )


if __name__ == "__main__":
    sys.exit(main())
