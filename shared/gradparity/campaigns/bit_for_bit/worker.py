"""Trainings in a process of their own: what XLA may fuse is said by a flag for the whole process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from ... import registry
from ...errors import InputError
from ...experiments.experiment import Experiment
from .recording import Course

Cause = Literal["sigmoid", "order", "fused"]
"""Why frameworks differ in the last digit: their σ, the order of their sums, multiply-adds that are rounded once."""

GROUP = "gradparity.causes"
"""Entry points of modules with `train(alike, network, …)`: `alike` are the causes to be taken away."""

_ENVIRONMENT = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_NOT_FUSED = {"XLA_FLAGS": "--xla_cpu_max_isa=AVX"}


@dataclass(frozen=True)
class Task:
    """One training.

    Attributes:
        target: an implementation's name.
        experiment: as JSON.
        keep: the update counts at which weights are wanted; training ends with the last.
        alike: what of its arithmetic is not the framework's own; None: the implementation as it is.
    """

    target: str
    experiment: Any
    keep: Sequence[int]
    alike: Sequence[Cause] | None = None

    def course(self) -> Course:
        """Train."""
        problem = Experiment(**self.experiment).problem()
        data = problem.network, problem.params, problem.inputs, problem.targets
        schedule = problem.schedule.until(*self.keep)
        if self.alike is None:
            return Course.of(registry.load(self.target).train(*data, schedule))
        (point,) = entry_points(group=GROUP, name=self.target)
        losses, weights = point.load().train(self.alike, *data, schedule)
        tensors = {f"{at}.weight": course[list(self.keep)] for at, course in enumerate(weights)}
        return Course(losses, np.array(self.keep), tensors)


def courses(
    tasks: Sequence[Task], folder: Path, progress: Callable[[str], None] = lambda _: None
) -> list[tuple[Course, float]]:
    """Train all `tasks`, in one process; with the seconds that each took.

    Raises:
        InputError: the process ended before it was done.
    """
    fused = not any("fused" in (task.alike or ()) for task in tasks)
    place = folder / "tasks.json"
    place.write_text(json.dumps([asdict(task) for task in tasks]))
    seconds: list[float] = []
    with (
        (folder / "errors").open("w+") as errors,
        subprocess.Popen(
            [sys.executable, "-m", __name__, str(place)],
            env={**os.environ, **_ENVIRONMENT, **({} if fused else _NOT_FUSED)},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        for task, line in zip(tasks, process.stdout or (), strict=False):
            seconds.append(float(line))
            progress(f"{task.experiment['name']} in {task.target}")
        if process.wait() or len(seconds) < len(tasks):
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["nothing"])[-1]
            raise InputError(
                f"the process that trains ended with status {process.returncode}: {last}"
            )
    return [(Course.load(folder / f"{at}.npz"), spent) for at, spent in enumerate(seconds)]


def main(place: str) -> None:
    """Train what is asked for in the file; beside it, leave the courses, and print the seconds of each."""
    with threadpool_limits(limits=1), np.errstate(over="ignore", invalid="ignore"):
        for at, task in enumerate(json.loads(Path(place).read_text())):
            begin = time.perf_counter()
            course = Task(**task).course()
            course.save(Path(place).with_name(f"{at}.npz"))
            print(time.perf_counter() - begin, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
