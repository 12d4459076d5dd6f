"""Long runs whose results are stored, and shown by the report."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from ..contract import Implementation
from ..files import replace_files
from ..machine import machine, versions
from .agreement import examine
from .case import Case
from .judge import Verdict
from .randomized import random_setting

AGREEMENT = "agreement.json"
_DRAWS = 3


def agreement(
    implementations: Mapping[str, Implementation],
    networks: int,
    seed: int,
    folder: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> Verdict:
    """Judge implementations on random networks, each with several draws in both dtypes, and store the result."""
    begin = time.perf_counter()

    def cases() -> Iterator[tuple[str, Case]]:
        for number, sequence in enumerate(np.random.SeedSequence(seed).spawn(networks)):
            progress(f"network {number}")
            rng = np.random.default_rng(sequence)
            setting = random_setting(rng)
            for draw in range(_DRAWS):
                for dtype in ("float64", "float32"):
                    yield f"network {number} draw {draw} {dtype}", setting.draw(rng, dtype)

    found = examine(implementations, cases())
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
