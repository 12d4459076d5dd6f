"""Compute on one quiet thread and in worker processes, and record the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from .errors import InputError
from .machine import machine, versions

ONE_THREAD: Mapping[str, str] = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
"""The environment of a worker process; the libraries read it when they are imported."""

_CHUNK = 20


@contextmanager
def one_quiet_thread() -> Iterator[None]:
    """Compute on one thread, without NumPy's warnings.

    For a tiny network, distributing the work over threads costs more than the work: torch can be 60 times slower.
    Training that overflows needs no warning, since its losses are judged.
    """
    with threadpool_limits(limits=1), np.errstate(all="ignore"):
        yield


def spawned() -> ProcessPoolExecutor:
    """Return a pool with a fresh interpreter for each core: the frameworks do not survive a fork."""
    return ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn"))


def spawned_for_each() -> ProcessPoolExecutor:
    """Return the same pool, but with a fresh process for each task.

    JAX keeps all compiled programs, and a thousand networks exhaust the memory maps of a process.
    """
    return ProcessPoolExecutor(
        os.cpu_count(), mp_context=get_context("spawn"), max_tasks_per_child=1
    )


def in_chunks(
    work: Callable[..., Any],
    count: int,
    *arguments: Any,
    chunk: int = _CHUNK,
    executor: Callable[[], Executor] = spawned_for_each,
) -> Iterator[tuple[range, Any]]:
    """Yield each chunk of the numbers below `count`, in order, with `work(*arguments, chunk)`."""
    chunks = [range(count)[at : at + chunk] for at in range(0, count, chunk)]
    with executor() as pool:
        futures = [pool.submit(work, *arguments, numbers) for numbers in chunks]
        for future, numbers in zip(futures, chunks, strict=True):
            yield numbers, future.result()


def ask(
    module: str,
    question: Any,
    environment: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Any:
    """Put a question to a worker, `python -m module`, which runs in a separate process on one thread.

    Question and answer are JSON; the worker calls `answer`.

    Args:
        module: the worker's module.
        question: passed to the worker.
        environment: additional environment variables of the worker.
        progress: called with each line that the worker prints.

    Raises:
        InputError: the worker failed; the message ends with the last line of its error output.
    """
    with tempfile.TemporaryDirectory(prefix="gradparity-") as folder:
        file, answered = _files(Path(folder))
        file.write_text(json.dumps(question), encoding="utf-8")
        with (
            (Path(folder) / "errors.txt").open("w+", encoding="utf-8") as errors,
            subprocess.Popen(
                [sys.executable, "-m", module, folder],
                env={**os.environ, **ONE_THREAD, **(environment or {})},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            ) as process,
        ):
            for line in process.stdout or ():
                progress(line.rstrip("\n"))
            if status := process.wait():
                errors.seek(0)
                last = (errors.read().strip().splitlines() or ["nothing"])[-1]
                raise InputError(f"the process of {module} ended with status {status}: {last}")
        if not answered.exists():
            raise InputError(f"the process of {module} ended before it had answered")
        return json.loads(answered.read_text(encoding="utf-8"))


def _files(folder: Path) -> tuple[Path, Path]:
    """Return the files of a question and of its answer."""
    return folder / "question.json", folder / "answer.json"


def answer(work: Callable[[Any], Any]) -> None:
    """Answer the question of `ask`, in the folder named on the command line, with the result of `work`."""
    asked, answered = _files(Path(sys.argv[1]))
    found = work(json.loads(asked.read_text(encoding="utf-8")))
    answered.write_text(json.dumps(found), encoding="utf-8")


def stamp() -> dict[str, Any]:
    """Return today's date, the machine and the versions, to be stored with a result."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
    }
