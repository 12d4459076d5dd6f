"""The benchmark as the report shows it: for each size a table, and bars of how many times the limit it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from .figures import COLOURS, STYLE, Drawing
from .study import Part

_HEADINGS = ["", "dtype", "first call, s", "µs a step (quartiles)", "CPU, µs", "× limit"]


def parts(bench: Mapping[str, Any] | None) -> list[Part]:
    """A part for each size, its dtypes together; none without a benchmark."""
    if bench is None:
        return []
    sizes: dict[str, list[Any]] = {}
    for workload in bench["workloads"]:
        sizes.setdefault(workload["size"], []).append(workload)
    return [_part(number, size, found) for number, (size, found) in enumerate(sizes.items())]


def _part(number: int, size: str, workloads: Sequence[Mapping[str, Any]]) -> Part:
    rows = [
        [row["candidate"], workload["dtype"], *_figures(row)]
        for workload in workloads
        for row in workload["rows"]
    ]
    caption = (
        "Times the limit, on a logarithmic axis: the median over rounds of the ratio in one round. "
        "The limit is the arithmetic alone, in C or as matrix products."
    )
    return Part(
        f"speed-{number}", "", size, "", _HEADINGS, rows, Drawing.of(_bars(workloads)), caption
    )


def _figures(row: Mapping[str, Any]) -> list[str]:
    low, median, high = row["us_per_step"]
    ratio = row["times_limit"]
    return [
        f"{row['first_seconds']:.2f}",
        f"{median:.3g} ({low:.3g}–{high:.3g})",
        f"{row['cpu_us_per_step']:.3g}",
        "–" if ratio is None else f"{ratio:.3g}",
    ]


def _bars(workloads: Sequence[Mapping[str, Any]]) -> Figure:
    names = [row["candidate"] for row in workloads[0]["rows"]]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(8, 0.3 * len(names) + 0.9), layout="constrained")
        panels = figure.subplots(1, len(workloads), sharex=True, sharey=True, squeeze=False)[0]
        for axes, workload in zip(panels, workloads, strict=True):
            ratios = [row["times_limit"] or 1.0 for row in workload["rows"]]
            tuned = [COLOURS["tuned" in name] for name in names]
            axes.barh(range(len(names)), ratios, left=0, color=tuned, height=0.7)
            for at, ratio in enumerate(ratios):
                axes.annotate(
                    f"{ratio:.3g}",
                    (ratio, at),
                    xytext=(3, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=8,
                )
            axes.set(title=workload["dtype"], xscale="log", xlabel="× limit")
            axes.set_xlim(0.8, max(ratios) * 4)
            axes.axvline(1, color="black", lw=0.8)
        panels[0].set_yticks(range(len(names)), names, fontsize=8)
        panels[0].invert_yaxis()
    return figure
