"""What the long runs share: work in processes, and the file that a result is stored in."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ..files import replace_files
from ..machine import machine, versions

DRAWS = 3
"""Draws of weights and data for each random network."""

_CHUNK = 20


def in_processes(
    work: Callable[..., Any], count: int, *arguments: Any, chunk: int = _CHUNK
) -> Iterator[tuple[range, Any]]:
    """Yield `work(*arguments, numbers)` for chunks of the numbers below `count`, in their order.

    A process for each chunk: JAX keeps what it compiled, and a thousand networks fill its memory maps.
    """
    chunks = [range(count)[at : at + chunk] for at in range(0, count, chunk)]
    with ProcessPoolExecutor(
        os.cpu_count(), mp_context=get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        futures = [pool.submit(work, *arguments, numbers) for numbers in chunks]
        for future, numbers in zip(futures, chunks, strict=True):
            yield numbers, future.result()


def store(folder: Path, name: str, begin: float, **result: Any) -> None:
    """Write a result to `folder / name`, with date, machine, versions, and the minutes since `begin`."""
    common = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "minutes": round((time.perf_counter() - begin) / 60, 1),
    }
    replace_files(folder, {name: (json.dumps(common | result, indent=1) + "\n").encode()})
