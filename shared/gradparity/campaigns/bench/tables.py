"""The benchmark's results as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...tables import Table

Found = Mapping[str, Any]


def tables(found: Found) -> Iterator[Table]:
    """Yield a table for each detailed workload; last, the cost of starting each implementation."""
    yield from (_workload(one) for one in found["workloads"] if one["detailed"])
    rows = [
        (name, f"{cost['seconds']:.2f}", f"{cost['peak_mb']:.0f}")
        for name, cost in found["start_up"].items()
    ]
    yield Table(("implementation", "start, s", "peak, MB"), rows)


def _workload(found: Found) -> Table:
    title = f"{found['size']}, {found['dtype']}"
    headings = ("first, s", "µs a step", "CPU", "× lower limit", title)
    return Table(headings, [_candidate(row) for row in found["rows"]])


def _candidate(row: Found) -> tuple[str, ...]:
    low, median, high = row["us_per_step"]
    ratio = row["times_limit"]
    return (
        f"{row['first_seconds']:.2f}",
        f"{median:.3g} ({low:.3g}-{high:.3g})",
        f"{row['cpu_us_per_step']:.3g}",
        "" if ratio is None else f"{ratio:.3g}",
        row["candidate"],
    )
