"""The planted-fault campaign as the report shows it: a row for each fault, its layers together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

_COUNTS = (
    "planted",
    "visible",
    "caught",
    "missed",
    "named",
    "synonym",
    "class",
    "unknown",
    "misnamed",
)


def scoreboard(campaign: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Rows by fault, on the vetted suite and on random networks, and the sums; None without a campaign."""
    if campaign is None:
        return None
    suite, random = (_by_name(campaign[table]) for table in ("single", "random"))
    return {
        **{
            key: campaign[key]
            for key in ("command", "date", "networks", "seed", "minutes", "machine")
        },
        "rows": [
            {"fault": name, "suite": counts, "random": random.get(name, Counter())}
            for name, counts in suite.items()
        ],
        "totals": {
            "suite": _sum(campaign["single"]),
            "pairs": _sum(campaign["pairs"]),
            "random": _sum(campaign["random"]),
        },
    }


def _by_name(table: Mapping[str, Mapping[str, Any]]) -> dict[str, Counter[str]]:
    rows: dict[str, Counter[str]] = {}
    for fault, counts in table.items():
        row = rows.setdefault(fault.partition(", layer ")[0], Counter())
        row.update({key: counts[key] for key in _COUNTS})
    return rows


def _sum(table: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    return {key: sum(counts[key] for counts in table.values()) for key in _COUNTS}
