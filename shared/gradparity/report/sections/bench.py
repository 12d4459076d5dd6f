"""The benchmark: for each size a table and bars relative to the lower limit; and the growth of the cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from ...campaigns.bench.measure import C_LOOP
from ...plotting import COLOURS, STYLE, Drawing
from .section import Content, Part, drawings
from .study_figures import line_style

Curves = dict[tuple[str, str, str], list[tuple[int, float]]]

_HEADINGS = ["", "dtype", "first call, s", "µs a step (quartiles)", "CPU, µs", "× lower limit"]


def show(bench: Mapping[str, Any]) -> Content:
    """Return a part for each size, its dtypes together, and one for the growth of the cost."""
    found = parts(bench)
    return Content({"parts": found, "stored": bench}, drawings(found))


def parts(bench: Mapping[str, Any]) -> list[Part]:
    """Return a part for each size, its dtypes together, and one for the growth of the cost."""
    sizes: dict[str, list[Any]] = {}
    for workload in bench["workloads"]:
        if workload["detailed"]:
            sizes.setdefault(workload["size"], []).append(workload)
    found = [_part(number, size, found) for number, (size, found) in enumerate(sizes.items())]
    curves = _curves(bench["workloads"])
    return [*found, _growth(curves)] if curves else found


def _curves(workloads: Sequence[Mapping[str, Any]]) -> Curves:
    """Return by growing quantity, dtype and implementation: (value, µs a step) along the curve."""
    curves: Curves = {}
    for workload in workloads:
        for what, at in workload["curves"].items():
            for row in workload["rows"]:
                key = what, workload["dtype"], row["candidate"]
                curves.setdefault(key, []).append((at, row["us_per_step"][1]))
    return {key: sorted(points) for key, points in curves.items() if len(points) > 1}


def _growth(curves: Curves) -> Part:
    rows = []
    for (what, dtype, name), points in curves.items():
        (before, cheaper), (last, dearer) = points[-2:]
        exponent = math.log(dearer / cheaper) / math.log(last / before)
        first, cost = points[0]
        costs = [f"{first:,}", _digits(cost), f"{last:,}", _digits(dearer)]
        rows.append([what, dtype, name, *costs, f"{exponent:.2f}"])
    caption = (
        "µs a step (of one network, where seeds grow), on logarithmic axes. One quantity grows, the others stay those "
        "of the tiny network. Where a line is flat, calls cost more than arithmetic. The exponent is the slope between "
        "the last two points."
    )
    headings = ["what grows", "dtype", "", "from", "µs", "to", "µs", "exponent at the end"]
    return Part(
        "bench-growth",
        "",
        "How the cost grows",
        "",
        headings,
        rows,
        Drawing.of(_lines(curves)),
        caption,
    )


def _lines(curves: Curves) -> Figure:
    kinds = list(dict.fromkeys(what for what, _, _ in curves))
    dtypes = list(dict.fromkeys(dtype for _, dtype, _ in curves))
    names = list(dict.fromkeys(name for _, _, name in curves if name != C_LOOP))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.6 * len(kinds), 2.6 * len(dtypes) + 0.8), layout="constrained")
        panels = figure.subplots(len(dtypes), len(kinds), sharex="col", sharey="row", squeeze=False)
        for (what, dtype, name), points in curves.items():
            axes = panels[dtypes.index(dtype)][kinds.index(what)]
            style = line_style(names.index(name)) if name != C_LOOP else {"color": "black"}
            axes.plot(*zip(*points, strict=True), marker=".", label=name, **style)
            axes.set(xscale="log", yscale="log")
            axes.minorticks_off()
        for axes, what in zip(panels[-1], kinds, strict=True):
            axes.set_xlabel(what)
        for row, dtype in zip(panels, dtypes, strict=True):
            row[0].set_ylabel(f"µs a step, {dtype}")
        handles = {
            label: handle
            for axes in panels.flat
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def _part(number: int, size: str, workloads: Sequence[Mapping[str, Any]]) -> Part:
    rows = [
        [row["candidate"], workload["dtype"], *_figures(row)]
        for workload in workloads
        for row in workload["rows"]
    ]
    caption = (
        "The time relative to the lower limit, on a logarithmic axis: the median over rounds of the ratio within a "
        "round. The lower limit is the time of the arithmetic alone, in C or as matrix products."
    )
    return Part(
        f"bench-{number}", "", size, "", _HEADINGS, rows, Drawing.of(_bars(workloads)), caption
    )


def _figures(row: Mapping[str, Any]) -> list[str]:
    low, median, high = row["us_per_step"]
    ratio = row["times_limit"]
    return [
        f"{row['first_seconds']:.2f}",
        f"{_digits(median)} ({_digits(low)}–{_digits(high)})",
        _digits(row["cpu_us_per_step"]),
        "–" if ratio is None else _digits(ratio),
    ]


def _digits(value: float) -> str:
    """Format a number with three digits and without powers of ten."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


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
                    _digits(ratio),
                    (ratio, at),
                    xytext=(3, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=8,
                )
            axes.set(title=workload["dtype"], xscale="log", xlabel="× lower limit")
            axes.minorticks_off()
            axes.set_xlim(0.8, max(ratios) * 4)
            axes.axvline(1, color="black", lw=0.8)
        panels[0].set_yticks(range(len(names)), names, fontsize=8)
        panels[0].invert_yaxis()
    return figure
