"""Bit for bit: the exact variants compared, and the differences of the plain ones attributed to their causes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from ...campaigns.bit_for_bit.tables import (
    WORDS,
    attribution_table,
    differences,
    each_alone,
    exact_table,
    one_by_one,
    where,
)
from ...plotting import COLOURS, STYLE, Drawing
from ...tables import Table
from .section import Content, Part, drawings

Found = Mapping[str, Any]
_MARKERS = ("o", "s", "^")
_CAPTION = (
    "The distance of the final weights of every two frameworks, ‖w − w′‖ / ‖w′‖, on a logarithmic axis. "
    "Hollow, at the left edge: not a bit differs."
)


def show(found: Found) -> Content:
    """Return the comparison of the exact variants, and the attribution to causes."""
    runs, settings = found["exact"], found["attribution"]
    table = attribution_table(settings)
    part = Part(
        "attribution",
        "",
        "Cause by cause",
        _outcome(settings),
        table.headings,
        table.rows,
        Drawing.of(_figure(settings)),
        _CAPTION,
    )
    values = {
        "stored": found,
        "summary": summary(runs),
        "differing": list(differences(runs)),
        "table": exact_table(runs),
        "shares": _shares(settings),
        "part": part,
    }
    return Content(values, drawings([part]))


def summary(runs: Sequence[Found]) -> str:
    """Return a sentence: how many runs of the exact variants are the same to the last bit."""
    same = sum(run["identical"] for run in runs)
    targets = ", ".join(runs[0]["sha256"])
    updates = sum(run["updates"] for run in runs)
    return (
        f"{same} of {len(runs)} runs, {updates} updates together, are the same to the last bit in {targets}: "
        "every loss, and all weights that were kept."
    )


def _shares(settings: Sequence[Found]) -> Table:
    """Return the final distance of the two furthest frameworks: plain, and with only one cause left."""
    rows = []
    for setting in settings:
        chaotic = setting["chaotic_from_update"]
        plain = _furthest(one_by_one(setting)[0].pairs)
        alone = [_furthest(variant.pairs) for variant in each_alone(setting).values()]
        rows.append(
            [
                f"{setting['experiment']}, {setting['dtype']}",
                "regular" if chaotic is None else f"chaotic from update {chaotic} on",
                f"{plain:.2g}",
                *(f"{one:.2g} ({one / plain:.0%})" for one in alone),
            ]
        )
    causes = [f"{WORDS[cause]} alone" for cause in each_alone(settings[0])]
    return Table(["experiment", "training", "the plain variants", *causes], rows)


def _outcome(settings: Sequence[Found]) -> str:
    """Return the text on what is left when all causes are removed."""
    parted = [
        f"{setting['experiment']} in {setting['dtype']}: {' and '.join(pair['pair'])} "
        f"{where(pair['first_difference'])}."
        for setting in settings
        for pair in one_by_one(setting)[len(WORDS)].pairs
        if pair["first_difference"]
    ]
    if not parted:
        found = "With all three causes removed not a bit differs, in either dtype, from the first update to the last."
    else:
        found = " ".join(["With all three causes removed something still differs.", *parted])
    return f"{found} The table shows the epoch of the first differing bit and the distance of the final weights."


def _furthest(pairs: Sequence[Found]) -> float:
    return max(pair["distance"] for pair in pairs)


def _figure(settings: Sequence[Found]) -> Figure:
    variants = [(*one_by_one(one), *each_alone(one).values()) for one in settings]
    labels = list(dict.fromkeys(variant.label for some in variants for variant in some))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.5, 0.32 * len(labels) + 1.2), layout="constrained")
        panels = figure.subplots(1, len(settings), sharey=True, squeeze=False)[0]
        for axes, setting, some in zip(panels, settings, variants, strict=True):
            apart = [p["distance"] for variant in some for p in variant.pairs if p["distance"]]
            edge = min(apart) / 10
            for at, pair in enumerate(some[0].pairs):
                found = [variant.pairs[at]["distance"] for variant in some]
                heights = [labels.index(variant.label) + 0.2 * (at - 1) for variant in some]
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
