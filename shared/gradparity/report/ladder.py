"""Bit for bit, as the report shows it: the exact variants, and the ladder of causes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from ..campaigns.bit_for_bit.tables import (
    WORDS,
    attribution,
    climbed,
    differences,
    exact,
    left_in,
    where,
)
from ..plotting import COLOURS, STYLE, Drawing
from ..tables import Table
from .study import Part

Found = Mapping[str, Any]
_MARKERS = ("o", "s", "^")
_CAPTION = (
    "How far the weights of every two frameworks are apart at the end, ‖w − w′‖ / ‖w′‖, on a logarithmic axis. "
    "Hollow, at the left edge: not a bit differs."
)


@dataclass(frozen=True)
class BitForBit:
    """The section.

    Attributes:
        summary: of the exact variants, in a sentence.
        differing: a sentence for each difference among them.
        table: a row for each experiment.
        shares: of each cause.
        part: the ladder.
    """

    summary: str
    differing: Sequence[str]
    table: Table
    shares: Table
    part: Part


def section(found: Found | None) -> BitForBit | None:
    """What the report shows of the ladder; nothing without one."""
    if found is None:
        return None
    runs, settings = found["exact"], found["attribution"]
    table = attribution(settings)
    part = Part(
        "attribution",
        "",
        "Rung by rung",
        _outcome(settings),
        table.headings,
        table.rows,
        Drawing.of(_figure(settings)),
        _CAPTION,
    )
    return BitForBit(_summary(runs), list(differences(runs)), exact(runs), _shares(settings), part)


def _summary(runs: Sequence[Found]) -> str:
    same = sum(run["identical"] for run in runs)
    targets = ", ".join(runs[0]["sha256"])
    updates = sum(run["updates"] for run in runs)
    return (
        f"{same} of {len(runs)} runs, {updates} updates together, are the same to the last bit in {targets}: "
        "every loss, and the weights wherever they were kept and at the end."
    )


def _shares(settings: Sequence[Found]) -> Table:
    """How far the plain variants end, and with each cause alone left in, the furthest two frameworks of each."""
    rows = []
    for setting in settings:
        chaotic = setting["chaotic_from_update"]
        plain = _furthest(climbed(setting)[0].pairs)
        alone = [_furthest(rung.pairs) for rung in left_in(setting).values()]
        rows.append(
            [
                f"{setting['experiment']}, {setting['dtype']}",
                "regular" if chaotic is None else f"chaotic from update {chaotic} on",
                f"{plain:.2g}",
                *(f"{one:.2g} ({one / plain:.0%})" for one in alone),
            ]
        )
    causes = [f"{WORDS[cause]} alone" for cause in left_in(settings[0])]
    return Table(["experiment", "training", "the plain variants", *causes], rows)


def _outcome(settings: Sequence[Found]) -> str:
    """Whether anything is left when all causes are taken away."""
    parted = [
        f"{setting['experiment']} in {setting['dtype']}: {' and '.join(pair['pair'])} "
        f"{where(pair['first_difference'])}."
        for setting in settings
        for pair in climbed(setting)[len(WORDS)].pairs
        if pair["first_difference"]
    ]
    if not parted:
        found = "With all three alike not a bit differs, in either dtype, from the first update to the last."
    else:
        found = " ".join(["With all three alike there is more that differs.", *parted])
    return f"{found} In the table: the epoch of the first differing bit, and how far apart the weights end."


def _furthest(pairs: Sequence[Found]) -> float:
    return max(pair["distance"] for pair in pairs)


def _figure(settings: Sequence[Found]) -> Figure:
    rungs = [(*climbed(one), *left_in(one).values()) for one in settings]
    labels = list(dict.fromkeys(rung.label for some in rungs for rung in some))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.5, 0.32 * len(labels) + 1.2), layout="constrained")
        panels = figure.subplots(1, len(settings), sharey=True, squeeze=False)[0]
        for axes, setting, some in zip(panels, settings, rungs, strict=True):
            apart = [p["distance"] for rung in some for p in rung.pairs if p["distance"]]
            edge = min(apart) / 10
            for at, pair in enumerate(some[0].pairs):
                found = [rung.pairs[at]["distance"] for rung in some]
                heights = [labels.index(rung.label) + 0.2 * (at - 1) for rung in some]
                style = {"marker": _MARKERS[at], "ls": "", "ms": 5, "color": COLOURS[at]}
                axes.plot(
                    [one or None for one in found], heights, label=" – ".join(pair["pair"]), **style
                )
                axes.plot([None if one else edge for one in found], heights, mfc="none", **style)
            axes.set(xscale="log", xlim=(edge / 2, max(apart) * 4))
            axes.set_title(f"{setting['experiment']}, {setting['dtype']}", fontsize=9)
            axes.minorticks_off()
        panels[0].set_yticks(range(len(labels)), labels, fontsize=8)
        panels[0].invert_yaxis()
        names = panels[0].get_legend_handles_labels()
        figure.legend(*names, loc="outside lower center", ncols=3, fontsize=8)
    return figure
