"""The planted faults: a row for each, its layers together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from .section import Content

_CALLED = ("named", "synonym", "class", "unknown", "misnamed")
_COUNTS = ("planted", "visible", "caught", "missed", *_CALLED)
SUITE_COUNTS = ("planted", "caught", "named", "class", "unknown")
"""The counts shown for the vetted suite: every fault is visible there, and no two mistakes are alike."""
RANDOM_COUNTS = ("planted", "visible", "caught", *_CALLED)
"""The counts shown for random networks."""


_BOARDS = (
    ("Sigmoid, MSE and gradient descent", "single", "random"),
    ("Activations, losses, optimizers, convolutions", "features", "random_features"),
)


def show(stored: Mapping[str, Any]) -> Content:
    """Return a board for each kind of network, and the sum of the faults with a wrong factor on top."""
    return Content(
        {
            "stored": stored,
            "boards": boards(stored),
            "pairs": _sum(stored["pairs"]),
            "suite_counts": SUITE_COUNTS,
            "random_counts": RANDOM_COUNTS,
        }
    )


def boards(campaign: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return for each kind of network a row for each fault, on the suite and on random networks, and the sums."""
    found = []
    for title, on_suite, on_random in _BOARDS:
        suite, random = (_by_name(campaign[table]) for table in (on_suite, on_random))
        rows = [
            {"fault": name, "suite": counts, "random": random.get(name, Counter())}
            for name, counts in suite.items()
        ]
        total = {
            "fault": "all",
            "suite": _sum(campaign[on_suite]),
            "random": _sum(campaign[on_random]),
        }
        found.append({"title": title, "rows": [*rows, total], **total})
    return found


def _by_name(table: Mapping[str, Mapping[str, Any]]) -> dict[str, Counter[str]]:
    rows: dict[str, Counter[str]] = {}
    for fault, counts in table.items():
        row = rows.setdefault(fault.partition(", layer ")[0], Counter())
        row.update({key: counts[key] for key in _COUNTS})
    return rows


def _sum(table: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    return {key: sum(counts[key] for counts in table.values()) for key in _COUNTS}
