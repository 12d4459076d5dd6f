"""The attribution ladder: one cause after the other is taken away, and each alone is left in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from ...contract import DType
from ...experiments.experiment import Experiment
from ...registry import PLAIN
from ...verdict.kept_run import surroundings
from .recording import Course, distance, first_difference
from .worker import Cause, Task, courses

ALL: tuple[Cause, ...] = get_args(Cause)
UPWARDS: tuple[tuple[Cause, ...], ...] = tuple(ALL[:count] for count in range(len(ALL) + 1))
WITHOUT: tuple[tuple[Cause, ...], ...] = tuple(
    tuple(cause for cause in ALL if cause != left_out) for left_out in ALL
)
RUNGS: tuple[tuple[Cause, ...] | None, ...] = (*dict.fromkeys((*UPWARDS, *WITHOUT)), None)
"""What is made alike; None: the exact variants, rounded in one place."""


def climb(
    experiments: Sequence[Experiment], progress: Callable[[str], None] = lambda _: None
) -> list[dict[str, Any]]:
    """Train each experiment in both dtypes on every rung; for every two frameworks, where they part and how far."""
    results: list[dict[str, Any]] = []
    for one in experiments:
        for dtype in get_args(DType):
            setting = one.model_copy(update={"dtype": dtype})
            results.append(
                {
                    "experiment": one.name,
                    "dtype": dtype,
                    "updates": one.training.epochs,
                    "chaotic_from_update": surroundings(setting).chaotic_from,
                    "rungs": [],
                }
            )
            progress(f"{one.name} in {dtype}: is it chaotic?")
    described = {one.name: one.model_dump(mode="json") for one in experiments}
    for alike in RUNGS:
        # The exact variants know no other dtype.
        able = [r for r in results if alike is not None or r["dtype"] == "float32"]
        wanted = [described[r["experiment"]] | {"dtype": r["dtype"]} for r in able]
        found = {name: _trained(name, alike, wanted, progress) for name in PLAIN}
        for at, result in enumerate(able):
            pairs = [
                {
                    "pair": [a, b],
                    "first_difference": first_difference(found[a][at], found[b][at]),
                    "distance": distance(found[a][at], found[b][at]),
                }
                for a, b in combinations(PLAIN, 2)
            ]
            result["rungs"].append({"alike": alike, "pairs": pairs})
    return results


def _trained(
    framework: str,
    alike: Sequence[Cause] | None,
    experiments: Sequence[dict[str, Any]],
    progress: Callable[[str], None],
) -> list[Course]:
    """The whole course of each experiment: the plain variant where nothing is alike."""
    target = f"{framework}-exact" if alike is None else framework
    tasks = [
        Task(target, one, tuple(range(one["training"]["epochs"] + 1)), alike or None)
        for one in experiments
    ]
    with TemporaryDirectory(prefix="gradparity-ladder-") as folder:
        return [course for course, _ in courses(tasks, Path(folder), progress)]
