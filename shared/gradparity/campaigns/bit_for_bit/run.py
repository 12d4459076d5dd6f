"""Compare the exact variants bit for bit, attribute the plain ones' differences to causes, and store both."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

from ... import registry
from ...contract import DType
from ...experiments import experiment
from .attribution import VARIANTS, attribute
from .exact_variants import EXACT, compare_exact
from .record import BIT_FOR_BIT

CORE = ("linear", "xor", "linear-half-rate", "xor-half-rate", "linear-wide", "xor-wide")
ATTRIBUTED = ("xor-half-rate", "linear")
"""A regular experiment and a chaotic one."""


def steps(seeds: int, core: Sequence[str] = CORE, attributed: Sequence[str] = ATTRIBUTED) -> int:
    """Return the number of progress messages of `bit_for_bit`."""
    settings = len(attributed) * len(get_args(DType))
    exact = len(attributed)  # in float32 only
    per_framework = len(core) * seeds + settings * (len(VARIANTS) - 1) + exact
    return per_framework * len(EXACT) + settings


def bit_for_bit(
    folder: Path,
    seeds: int,
    progress: Callable[[str], None] = lambda _: None,
    core: Sequence[str] = CORE,
    attributed: Sequence[str] = ATTRIBUTED,
) -> dict[str, Any]:
    """Compare the exact variants on `seeds` initial seeds of each core experiment, attribute, and store both results.

    Raises:
        InputError: a framework is missing.
    """
    for target in EXACT:
        registry.load(target)  # report errors before the work begins
    begin = time.perf_counter()
    record = BIT_FOR_BIT.record(
        begin,
        f"gradparity bit-for-bit --seeds {seeds}",
        exact=compare_exact([experiment.load(name) for name in core], seeds, progress=progress),
        attribution=attribute([experiment.load(name) for name in attributed], progress),
    )
    BIT_FOR_BIT.write(folder / BIT_FOR_BIT.file, record)
    return record
