"""Attribute differences to causes: remove the causes one after another, and all but one."""

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
from .recording import Recording, distance, first_difference
from .worker import Cause, Task, record

CAUSES: tuple[Cause, ...] = get_args(Cause)
ONE_BY_ONE: tuple[tuple[Cause, ...], ...] = tuple(
    CAUSES[:count] for count in range(len(CAUSES) + 1)
)
"""The causes that are removed: none, then one more each time."""

ALL_BUT_ONE: tuple[tuple[Cause, ...], ...] = tuple(
    tuple(cause for cause in CAUSES if cause != left) for left in CAUSES
)
"""The causes that are removed so that a single one is left, in the order of `CAUSES`."""

VARIANTS: tuple[tuple[Cause, ...] | None, ...] = (
    *dict.fromkeys((*ONE_BY_ONE, *ALL_BUT_ONE)),
    None,
)
"""The variants that are compared, as the causes that are removed; None: the exact variants."""


def attribute(
    experiments: Sequence[Experiment], progress: Callable[[str], None] = lambda _: None
) -> list[dict[str, Any]]:
    """Train each experiment in both dtypes and every variant, and compare every two frameworks.

    For each pair, record the first difference and the final distance.
    """
    results: list[dict[str, Any]] = []
    for one in experiments:
        for dtype in get_args(DType):
            problem = one.model_copy(update={"dtype": dtype}).problem()
            results.append(
                {
                    "experiment": one.name,
                    "dtype": dtype,
                    "updates": one.training.epochs,
                    "chaotic_from_update": surroundings(problem).chaotic_from,
                    "variants": [],
                }
            )
            progress(f"{one.name} in {dtype}: is it chaotic?")
    described = {one.name: one.model_dump(mode="json") for one in experiments}
    for alike in VARIANTS:
        # The exact variants exist in float32 only.
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
            result["variants"].append({"alike": alike, "pairs": pairs})
    return results


def _trained(
    framework: str,
    alike: Sequence[Cause] | None,
    experiments: Sequence[dict[str, Any]],
    progress: Callable[[str], None],
) -> list[Recording]:
    """Record every update of each experiment; without removed causes, by the plain implementation."""
    target = f"{framework}-exact" if alike is None else framework
    tasks = [
        Task(target, one, tuple(range(one["training"]["epochs"] + 1)), alike or None)
        for one in experiments
    ]
    with TemporaryDirectory(prefix="gradparity-") as folder:
        return [recording for recording, _ in record(tasks, Path(folder), progress)]
