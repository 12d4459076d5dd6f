"""Carry the ladder out and store what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from ... import registry
from ...contract import DType
from ...experiments import experiment
from ...files import replace_files
from ...machine import machine, versions
from .attribution import RUNGS, climb
from .exact_variants import EXACT, compare_exact

LADDER = "ladder.json"
CORE = ("linear", "xor", "linear-half-rate", "xor-half-rate", "linear-wide", "xor-wide")
ATTRIBUTED = ("xor-half-rate", "linear")
"""A regular experiment and a chaotic one."""


def steps(seeds: int, core: Sequence[str] = CORE, attributed: Sequence[str] = ATTRIBUTED) -> int:
    """How many steps the ladder reports."""
    settings = len(attributed) * len(get_args(DType))
    exact = len(attributed)  # in float32 only
    per_framework = len(core) * seeds + settings * (len(RUNGS) - 1) + exact
    return per_framework * len(EXACT) + settings


def ladder(
    folder: Path,
    seeds: int,
    progress: Callable[[str], None] = lambda _: None,
    core: Sequence[str] = CORE,
    attributed: Sequence[str] = ATTRIBUTED,
) -> dict[str, Any]:
    """Compare the exact variants on `seeds` initial seeds of each core experiment, climb the ladder, and store both.

    Raises:
        InputError: a framework is missing.
    """
    for target in EXACT:
        registry.load(target)  # what is missing is said before the work begins
    begin = time.perf_counter()
    exact = compare_exact([experiment.load(name) for name in core], seeds, progress=progress)
    attribution = climb([experiment.load(name) for name in attributed], progress)
    result = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "minutes": round((time.perf_counter() - begin) / 60, 1),
        "command": f"gradparity ladder --seeds {seeds}",
        "exact": exact,
        "attribution": attribution,
    }
    replace_files(folder, {LADDER: (json.dumps(result, indent=1) + "\n").encode()})
    return result
