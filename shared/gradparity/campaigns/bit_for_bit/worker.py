"""Train in a separate process: the flag for what XLA may fuse holds for a whole process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ... import registry
from ...experiments.experiment import Experiment
from ...processes import answer, ask, one_quiet_thread
from .recording import Recording

Cause = Literal["sigmoid", "order", "fused"]
"""The causes of differences in the last digit: σ, the order of sums, multiply-adds that are rounded once."""

GROUP = "gradparity.causes"
"""The entry points of modules with `train(alike, network, …)`: `alike` lists the causes to remove."""

_NOT_FUSED = {"XLA_FLAGS": "--xla_cpu_max_isa=AVX"}


@dataclass(frozen=True)
class Task:
    """One training run.

    Attributes:
        target: an implementation's name.
        experiment: the experiment as JSON.
        keep: the update counts at which weights are kept; training ends with the last.
        alike: the causes that are removed from its arithmetic; None: the unchanged implementation.
    """

    target: str
    experiment: Any
    keep: Sequence[int]
    alike: Sequence[Cause] | None = None

    def recording(self) -> Recording:
        """Train, and return the recording."""
        problem = Experiment(**self.experiment).problem()
        data = problem.network, problem.params, problem.inputs, problem.targets
        schedule = problem.schedule.until(*self.keep)
        if self.alike is None:
            return Recording.of(registry.load(self.target).train(*data, schedule))
        (point,) = entry_points(group=GROUP, name=self.target)
        losses, weights = point.load().train(self.alike, *data, schedule)
        tensors = {f"{at}.weight": along[list(self.keep)] for at, along in enumerate(weights)}
        return Recording(losses, np.array(self.keep), tensors)


def record(
    tasks: Sequence[Task], folder: Path, progress: Callable[[str], None] = lambda _: None
) -> list[tuple[Recording, float]]:
    """Train all `tasks` in one process that writes to `folder`; return each recording with its seconds.

    Raises:
        InputError: the process failed.
    """
    fused = not any("fused" in (task.alike or ()) for task in tasks)
    question = {"folder": str(folder), "tasks": [asdict(task) for task in tasks]}
    seconds = ask(__name__, question, {} if fused else _NOT_FUSED, progress)
    return [(Recording.load(folder / f"{at}.npz"), spent) for at, spent in enumerate(seconds)]


def train(question: dict[str, Any]) -> list[float]:
    """Train the tasks, save their recordings, print a line for each, and return the seconds of each."""
    seconds = []
    with one_quiet_thread():
        for at, fields in enumerate(question["tasks"]):
            begin, task = time.perf_counter(), Task(**fields)
            task.recording().save(Path(question["folder"]) / f"{at}.npz")
            seconds.append(time.perf_counter() - begin)
            print(f"{task.experiment['name']} in {task.target}", flush=True)
    return seconds


if __name__ == "__main__":
    answer(train)
