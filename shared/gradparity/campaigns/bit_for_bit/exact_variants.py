"""Compare the exact variants bit for bit on many seeds, and locate the first difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ...experiments.experiment import Experiment
from .recording import Recording, first_difference
from .worker import Task, record

EXACT = ("numpy-exact", "torch-exact", "jax-exact")
_POINTS = 10


def in_float32(experiment: Experiment, seed: int) -> dict[str, Any]:
    """Return the experiment as JSON, in float32 and with this initial seed."""
    described = experiment.model_dump(mode="json") | {"dtype": "float32"}
    return described | {"initial": described["initial"] | {"seed": seed}}


def compare_exact(
    experiments: Sequence[Experiment],
    seeds: int,
    targets: Sequence[str] = EXACT,
    progress: Callable[[str], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Train every experiment from every seed in every target; return the hashes and the first differing bits."""
    runs = [(one, seed, _points(one)) for one in experiments for seed in range(seeds)]
    found = {}
    for target in targets:
        with TemporaryDirectory(prefix="gradparity-") as folder:
            tasks = [Task(target, in_float32(one, seed), keep) for one, seed, keep in runs]
            found[target] = record(tasks, Path(folder), progress)
    results = []
    for at, (one, seed, keep) in enumerate(runs):
        trained = {target: found[target][at][0] for target in targets}
        pairs = combinations(targets, 2)
        differences = [
            {"pair": list(pair)} | difference
            for pair in pairs
            if (difference := _locate(in_float32(one, seed), pair, [trained[t] for t in pair]))
        ]
        results.append(
            {
                "experiment": one.name,
                "seed": seed,
                "updates": keep[-1],
                "identical": not differences,
                "differences": differences,
                "sha256": {target: one.digests() for target, one in trained.items()},
                "seconds": {target: round(found[target][at][1], 2) for target in targets},
            }
        )
    return results


def _points(experiment: Experiment) -> tuple[int, ...]:
    updates = experiment.problem().schedule.updates
    stride = max(updates // _POINTS, 1)
    return (*range(0, updates, stride), updates)


def _locate(
    experiment: dict[str, Any], pair: Sequence[str], trained: Sequence[Recording]
) -> dict[str, Any] | None:
    """Return the first difference; find it by training both again, and keeping every step in its range."""
    found = first_difference(*trained)
    if found is None:
        return None
    points = trained[0].points
    before = max(int(point) for point in points if point < max(found["update"], 1))
    keep = tuple(range(before, min(found["update"] + 1, int(points[-1])) + 1))
    again = []
    for target in pair:
        with TemporaryDirectory(prefix="gradparity-") as folder:
            ((recording, _),) = record([Task(target, experiment, keep)], Path(folder))
            again.append(recording)
    return first_difference(*again) or found | {"after": before}
