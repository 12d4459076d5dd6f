"""Time all workloads, each in its own process, and sum up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ...device import CPU, use_device
from ...processes import ask
from .measure import C_LOOP, MATMULS
from .peers import KERAS, there
from .record import BENCH
from .workloads import with_keras, workloads

TARGETS = ("numpy", "numpy-tuned", "torch", "torch-tuned", "jax", "jax-tuned")
"""The implementations that are timed by default; the exact variants are not made for speed."""

_WORKER = "gradparity.campaigns.bench.measure"


def steps(targets: Sequence[str], *, quick: bool) -> int:
    """Return the number of progress messages of a benchmark of these implementations."""
    return len(targets) + len(list(workloads(quick=quick)))


def bench(
    targets: Sequence[str],
    *,
    quick: bool,
    rounds: int,
    device: str = CPU,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Time `targets`, their peers and the lower limit on every workload, on one thread of one core, or on a device."""
    on = "CPU, one core" if device == CPU else use_device(device)
    begin = time.perf_counter()
    start_up = {}
    for target in targets:
        progress(f"start of {target}")
        began = time.perf_counter()
        cost = ask(_WORKER, {"start_up": target, "device": device})
        start_up[target] = {"seconds": time.perf_counter() - began} | cost
    results = []
    for workload in workloads(quick=quick):
        progress(str(workload))
        asked = {"workload": asdict(workload), "rounds": rounds, "device": device}
        found = ask(_WORKER, {**asked, "targets": list(targets), "keras": None})
        rows = summary(found["rows"], workload.steps)
        if not quick and there("keras") and (fewer := with_keras(workload)):
            for backend in KERAS:
                asked["workload"] = asdict(fewer)
                alone = ask(
                    _WORKER,
                    {**asked, "targets": [], "keras": backend},
                    {"KERAS_BACKEND": backend},
                )
                rows.append(summary(alone["rows"], fewer.steps)[-1])
        results.append(
            {
                "size": workload.size,
                "dtype": workload.dtype,
                "detailed": workload.detailed,
                "curves": workload.curves,
                "updates": workload.updates,
                "rows": rows,
                "kernels": found["kernels"],
            }
        )
    command = f"gradparity bench --rounds {rounds}"
    command += " --quick" if quick else ""
    command += f" --device {device}" if device != CPU else ""
    if tuple(targets) != TARGETS:
        command += "".join(f" --impl {target}" for target in targets)
    return BENCH.record(begin, command, device=on, start_up=start_up, workloads=results)


def summary(rows: Sequence[dict[str, Any]], steps: int) -> list[dict[str, Any]]:
    """Return for each candidate µs a step, median and quartiles, and the median ratio to the limit in the same round.

    The limit is the C loop, or the matrix products of the library that is faster in that round.
    """
    limits = [row for row in rows if row["candidate"].startswith((C_LOOP, MATMULS))]
    limit = np.min([row["wall"] for row in limits], axis=0) if limits else None
    found = []
    for row in rows:
        wall = np.array(row["wall"])
        low, median, high = 1e6 * np.quantile(wall, (0.25, 0.5, 0.75)) / steps
        found.append(
            {
                "candidate": row["candidate"],
                "first_seconds": row["first"],
                "us_per_step": [low, median, high],
                "cpu_us_per_step": 1e6 * float(np.median(row["cpu"])) / steps,
                "times_limit": None if limit is None else float(np.median(wall / limit)),
                "deviation": row.get("deviation"),
            }
        )
    return found
