"""Time all workloads, each in a process of its own, and sum up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ...device import CPU, use_device
from ...errors import InputError
from ...machine import machine, versions
from .measure import C_LOOP, MATMULS
from .peers import KERAS, there
from .workloads import with_keras, workloads

BENCH = "bench.json"
TARGETS = ("numpy", "numpy-tuned", "torch", "torch-tuned", "jax", "jax-tuned")
"""What is timed unless told otherwise; the bit-for-bit variants are not about speed."""

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def steps(targets: Sequence[str], *, quick: bool) -> int:
    """How many steps a benchmark of these implementations reports."""
    return len(targets) + len(list(workloads(quick=quick)))


def bench(
    targets: Sequence[str],
    *,
    quick: bool,
    rounds: int,
    device: str = CPU,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Time `targets`, their peers and the limit on every workload, on one thread of one core, or on a device."""
    on = "CPU, one core" if device == CPU else use_device(device)
    begin = time.perf_counter()
    start_up = {}
    for target in targets:
        progress(f"start of {target}")
        began = time.perf_counter()
        cost = _in_process({"start_up": target, "device": device})
        start_up[target] = {"seconds": time.perf_counter() - began} | cost
    results = []
    for workload in workloads(quick=quick):
        progress(str(workload))
        asked = {"workload": asdict(workload), "rounds": rounds, "device": device}
        found = _in_process({**asked, "targets": list(targets), "keras": None})
        rows = summary(found["rows"], workload.steps)
        if not quick and there("keras") and (fewer := with_keras(workload)):
            for backend in KERAS:
                asked["workload"] = asdict(fewer)
                alone = _in_process(
                    {**asked, "targets": [], "keras": backend}, KERAS_BACKEND=backend
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
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "device": on,
        "minutes": round((time.perf_counter() - begin) / 60, 1),
        "command": f"gradparity bench --rounds {rounds}"
        + (" --quick" if quick else "")
        + (f" --device {device}" if device != CPU else "")
        + "".join(f" --impl {target}" for target in targets if tuple(targets) != TARGETS),
        "start_up": start_up,
        "workloads": results,
    }


def summary(rows: Sequence[dict[str, Any]], steps: int) -> list[dict[str, Any]]:
    """Of each candidate: µs a step, median and quartiles, and the median ratio to the limit in the same round.

    The limit is the C loop, or the matrix products by whichever library is faster.
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


def _in_process(asked: dict[str, Any], **environment: str) -> Any:
    with tempfile.TemporaryDirectory(prefix="gradparity-bench-") as folder:
        place = Path(folder) / "asked.json"
        place.write_text(json.dumps(asked))
        done = subprocess.run(
            [sys.executable, "-m", "gradparity.campaigns.bench.measure", str(place)],
            env={**os.environ, **_ONE_THREAD, **environment},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            raise InputError(f"the benchmark's process ended with status {done.returncode}: {last}")
        return json.loads(place.read_text())
