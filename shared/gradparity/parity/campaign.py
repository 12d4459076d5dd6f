"""Long runs whose results are stored, and shown by the report."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from .. import registry
from ..files import replace_files
from ..machine import machine, versions
from .agreement import Agreement, examine
from .case import Case
from .judge import Verdict
from .randomized import random_setting

AGREEMENT = "agreement.json"
_DRAWS = 3
_CHUNK = 20


def agreement(
    targets: Sequence[str],
    networks: int,
    seed: int,
    folder: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Judge implementations on random networks, each with several draws in both dtypes, and store the result.

    `targets` are names or paths, as the registry knows them. The networks are the same for the same seed,
    however many processes share them.
    """
    begin = time.perf_counter()
    found = Agreement()
    chunks = [range(networks)[at : at + _CHUNK] for at in range(0, networks, _CHUNK)]
    # A process for each chunk: JAX keeps what it compiled, and a thousand networks fill its memory maps.
    with ProcessPoolExecutor(
        os.cpu_count(), mp_context=get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        futures = [pool.submit(judge_networks, targets, seed, chunk) for chunk in chunks]
        for future, chunk in zip(futures, chunks, strict=True):
            found.merge(future.result())
            for number in chunk:
                progress(f"network {number + 1}")
    result = {
        "command": f"gradparity agreement --networks {networks} --seed {seed}",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "minutes": round((time.perf_counter() - begin) / 60, 1),
        "networks": networks,
        "seed": seed,
        "agreement": found.summary(),
    }
    replace_files(folder, {AGREEMENT: (json.dumps(result, indent=1) + "\n").encode()})
    return found.verdict


def judge_networks(targets: Sequence[str], seed: int, numbers: Sequence[int]) -> Agreement:
    """Judge implementations on the random networks of these numbers."""
    implementations = {target.name: target for target in map(registry.load, targets)}

    def cases() -> Iterator[tuple[str, Case]]:
        for number in numbers:
            rng = np.random.default_rng([seed, number])
            setting = random_setting(rng)
            for draw in range(_DRAWS):
                for dtype in ("float64", "float32"):
                    yield f"network {number} draw {draw} {dtype}", setting.draw(rng, dtype)

    return examine(implementations, cases())
