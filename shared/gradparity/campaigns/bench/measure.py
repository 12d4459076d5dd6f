"""The process that times one workload on one core; started by `run`."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from ... import registry
from ...device import CPU, use_device
from ...processes import answer
from .limit import Run, c_loop, matmuls
from .peers import PEERS, keras_fit, there
from .workloads import TINY, Workload

C_LOOP = "C, gcc -O3 -march=native -ffast-math"
MATMULS = "the matrix products alone"
_SAME = 50
"""The number of updates whose losses are compared; after more of them, rounding may have grown."""


def candidates(
    workload: Workload, targets: Sequence[str], keras: str | None = None
) -> dict[str, Run]:
    """Return what is timed, by name, the lower limits first. With a backend of Keras, Keras is the only peer."""
    found: dict[str, Run] = {}
    alone = replace(workload, members=None, updates=workload.steps)
    if (loop := c_loop(alone)) is not None:
        found[C_LOOP] = loop
    if workload.biases:
        found[f"{MATMULS}, numpy"] = matmuls(workload, np.matmul, np.asarray, np.asarray)
        if there("torch"):
            import torch

            found[f"{MATMULS}, torch"] = matmuls(
                workload, torch.matmul, torch.tensor, lambda product: product[0, 0].item()
            )
        if there("jax"):
            import jax

            jax.config.update("jax_enable_x64", True)
            product = jax.jit(jax.numpy.matmul)
            found[f"{MATMULS}, jax"] = matmuls(
                workload, product, jax.numpy.asarray, jax.block_until_ready
            )
    for name in targets:
        found[name] = _training(registry.find(name), workload)
    if keras is not None:
        found[f"Keras, model.fit, on {keras}"] = keras_fit(workload)
    elif workload.members is None and workload.detailed:
        found |= {name: make(workload) for name, (package, make) in PEERS.items() if there(package)}
    return found


def _training(implementation: Any, workload: Workload) -> Run:
    problem = workload.problem()
    single = workload.members is None
    train = implementation.train if single else implementation.train_ensemble
    return lambda: train(*problem).losses


def measure(
    workload: Workload, targets: Sequence[str], rounds: int, keras: str | None = None
) -> list[dict[str, Any]]:
    """Time every candidate once in each round, in turn, after a first call that compiles and warms up."""
    if there("torch"):
        import torch

        torch.set_num_threads(1)
    rows, expected = [], None
    chosen = candidates(workload, targets, keras)
    for name, run in chosen.items():
        begin = time.perf_counter()
        losses = run()
        row: dict[str, Any] = {"candidate": name, "first": time.perf_counter() - begin}
        if np.ndim(losses) == (
            1 if workload.members is None else 2
        ):  # the limit trains one network
            losses = np.asarray(losses, np.float64)[..., :_SAME]
            expected = losses if expected is None else expected
            row["deviation"] = float(np.max(np.abs(losses - expected) / expected))
        rows.append(row | {"wall": [], "cpu": []})
    for _ in range(rounds):
        for row, run in zip(rows, chosen.values(), strict=True):
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            row["cpu"].append(time.process_time() - cpu)
            row["wall"].append(time.perf_counter() - wall)
    return rows


def start_up(target: str) -> dict[str, float]:
    """Return the peak memory in MB of this process after it trains the tiny network for ten updates."""
    _training(registry.find(target), replace(TINY, updates=10))()
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss includes the process before it became this one
        (peak,) = (n.split()[1] for n in status.read_text().splitlines() if n.startswith("VmHWM:"))
        return {"peak_mb": int(peak) / 1024}
    return {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}  # macOS: bytes


def kernels() -> list[str]:
    """Return the loaded BLAS libraries, each with the processor that it computes for."""
    return [
        f"{pool['internal_api']} {pool['version']} ({pool['architecture']})"
        for pool in threadpool_info()
        if pool["user_api"] == "blas" and "architecture" in pool
    ]


def work(asked: dict[str, Any]) -> Any:
    """Return the start-up cost of an implementation, or the times of all candidates on a workload."""
    if hasattr(os, "sched_setaffinity"):  # Linux
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    if asked["device"] != CPU:
        use_device(asked["device"])
    with np.errstate(all="ignore"):
        if "start_up" in asked:
            return start_up(asked["start_up"])
        workload = Workload(**asked["workload"] | {"widths": tuple(asked["workload"]["widths"])})
        rows = measure(workload, asked["targets"], asked["rounds"], asked["keras"])
        return {"rows": rows, "kernels": kernels()}


if __name__ == "__main__":
    answer(work)
