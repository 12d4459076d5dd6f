"""The lower limit of the time: the arithmetic alone, without a framework."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .workloads import TINY, Workload

Run = Callable[[], Any]
"""One timed run; returns the losses before each update, or None."""

# Without start files: those of -ffast-math would make the whole process flush subnormal numbers to zero.
_FLAGS = ("-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", "-nostartfiles")


def c_loop(workload: Workload) -> Run | None:
    """Compile the tiny network's training in C; None for any other network, or without a compiler."""
    compiler = shutil.which(os.environ.get("CC", "gcc"))
    if compiler is None or workload.widths != TINY.widths or workload.members is not None:
        return None
    real = {"float32": "float", "float64": "double"}[workload.dtype]
    source = Path(__file__).with_name("limit.c")
    constants = f"-DREAL={real}", f"-DN={workload.samples}"
    with tempfile.TemporaryDirectory(prefix="gradparity-limit-") as folder:
        library = Path(folder) / "limit.so"
        command = [compiler, *_FLAGS, *constants, str(source), "-o", str(library), "-lm"]
        subprocess.run(command, check=True)
        train = ctypes.CDLL(str(library)).train
    _, params, inputs, targets, schedule = workload.problem()
    x, y = (np.ascontiguousarray(array.T) for array in (inputs, targets))
    start = [layer.weight for layer in params]
    weights, losses = [w.copy() for w in start], np.empty(workload.updates)
    c_real = {"float32": ctypes.c_float, "float64": ctypes.c_double}[workload.dtype]

    def run() -> np.ndarray:
        for weight, first in zip(weights, start, strict=True):
            weight[:] = first
        arrays = [ctypes.c_void_p(array.ctypes.data) for array in (x, y, *weights)]
        end = ctypes.c_long(workload.updates), ctypes.c_void_p(losses.ctypes.data)
        train(*arrays, c_real(schedule.learning_rate), *end)
        return losses

    return run


def matmuls(
    workload: Workload, multiply: Callable[[Any, Any], Any], array: Any, wait: Callable[[Any], Any]
) -> Run:
    """Return the matrix products of training alone: a library's `multiply` of its `array`s, and `wait` for the last."""
    rng = np.random.default_rng(0)
    pairs = []
    for at, (fan_in, units) in enumerate(zip(workload.widths, workload.widths[1:], strict=False)):
        a, w, d = (
            array(rng.standard_normal(shape).astype(workload.dtype))
            for shape in ((workload.samples, fan_in), (fan_in, units), (workload.samples, units))
        )
        pairs += [(a, w), (a.T, d), *([(d, w.T)] if at else [])]

    def run() -> None:
        product = None
        for _ in range(workload.updates):
            for left, right in pairs:
                product = multiply(left, right)
        wait(product)

    return run
