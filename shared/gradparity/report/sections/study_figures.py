"""The figures of the study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ...plotting import COLOURS, DASHES, STYLE

Row = Mapping[str, Any]


def line_style(index: int) -> dict[str, Any]:
    """Return colour and dashes of the line of this number; no two are alike."""
    turn = index // len(COLOURS)
    return {
        "color": COLOURS[index % len(COLOURS)],
        "ls": DASHES[(index + turn) % len(DASHES)],
    }


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def success(rows: Sequence[Row], target: str, *, log: bool = False) -> Figure:
    """Draw the share of members that have succeeded by each epoch: a line for each row."""
    with mpl.rc_context(STYLE):
        figure, (axes,) = _figure(7.2, 3.4)
        for index, row in enumerate(rows):
            curve = row["results"][target]["success_by_epoch"]
            epochs, share = np.array(curve["epochs"]), np.array(curve["share"])
            shown = epochs > 0 if log else epochs >= 0
            axes.plot(epochs[shown], share[shown], label=row["label"], **line_style(index))
        axes.set(xlabel="epoch", ylabel="seeds that have succeeded", ylim=(-0.03, 1.03))
        if log:
            axes.set_xscale("log")
            axes.minorticks_off()
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        figure.legend(loc="outside right center", fontsize=8)
    return figure


def losses_and_limits(rows: Sequence[Row], target: str, limits: Mapping[str, float]) -> Figure:
    """Draw the median loss of each row by epoch, and the least-squares limit of its experiment."""
    with mpl.rc_context(STYLE):
        figure, (axes,) = _figure(6.2, 3.0)
        for index, row in enumerate(rows):
            medians = row["results"][target]["median_loss"]
            epochs = [int(epoch) for epoch in medians]
            axes.plot(
                epochs, list(medians.values()), "o", ms=4, label=row["label"], color=COLOURS[index]
            )
            axes.axhline(limits[row["experiment"]], color=COLOURS[index], ls="--", lw=1)
        axes.set(xlabel="epoch", ylabel="median loss", yscale="log")
        axes.plot([], [], "k--", lw=1, label="least squares")
        figure.legend(loc="outside right center", fontsize=8)
    return figure


def rates(rows: Sequence[Row], target: str) -> Figure:
    """Draw the success rate of each row with its 95 % interval."""
    with mpl.rc_context(STYLE):
        figure, (axes,) = _figure(6.2, 0.32 * len(rows) + 0.9)
        for at, row in enumerate(rows):
            found = row["results"][target]
            low, high = found["interval_95"]
            rate = found["success_rate"]
            axes.errorbar(
                rate,
                at,
                xerr=[[rate - low], [high - rate]],
                fmt="o",
                ms=5,
                capsize=3,
                color=COLOURS[0],
            )
        axes.set_yticks(range(len(rows)), [row["label"] for row in rows])
        axes.invert_yaxis()
        axes.set(xlabel="success rate", xlim=(-0.02, 1.02))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return figure


def deaths(dead: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw the share of dead networks by the number of updates."""
    with mpl.rc_context(STYLE):
        figure, (axes,) = _figure(5.2, 2.8)
        for index, (name, shares) in enumerate(dead.items()):
            axes.plot(
                [int(step) for step in shares],
                list(shares.values()),
                "os"[index],
                label=name,
                **line_style(index) | {"ls": "-"},
            )
        axes.set(xlabel="updates", ylabel="dead networks", ylim=(0, 1.03))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.legend(loc="lower right")
    return figure


def accuracies(rows: Sequence[Row]) -> Figure:
    """Draw the test accuracy of each seed, a row for each network."""
    with mpl.rc_context(STYLE):
        figure, (axes,) = _figure(6.2, 0.36 * len(rows) + 0.9)
        for at, row in enumerate(rows):
            axes.plot(
                row["accuracy"], [at] * len(row["accuracy"]), "o", mfc="none", color=COLOURS[0]
            )
            axes.plot(np.median(row["accuracy"]), at, "|", ms=16, mew=2, color="black")
        axes.set_yticks(range(len(rows)), [row["label"] for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("accuracy on the test digits")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return figure


def parting(rows: Sequence[Row]) -> Figure:
    """Draw the relative difference of two implementations' losses, in each row for the seed that diverges first."""
    with mpl.rc_context(STYLE):
        figure, (axes,) = _figure(7.2, 3.2)
        for index, row in enumerate(rows):
            example = row["example"]
            difference = np.maximum(example["difference"], 1e-17)
            axes.plot(example["epochs"], difference, label=row["label"], **line_style(index))
        axes.axhline(1e-3, color="black", lw=0.8)
        axes.set(xscale="log", yscale="log", xlabel="epoch", ylabel="relative difference of losses")
        axes.minorticks_off()
        figure.legend(loc="outside right center", fontsize=8)
    return figure


def conventions(rows: Sequence[Row]) -> Figure:
    """Draw the losses under two conventions from the same start, a panel for each row."""
    columns = 3
    lines = -(-len(rows) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.6, 2.1 * lines + 0.5), layout="constrained")
        panels = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).flat
        for row, axes in zip(rows, panels, strict=False):
            losses = row["losses"]
            for index, (name, label) in enumerate(
                (("ours", "this project's"), ("theirs", "the other"))
            ):
                axes.plot(losses["epochs"], losses[name], label=label, **line_style(index))
            subject, _, detail = row["subject"].partition(":")
            axes.set_title(f"{subject}:\n{detail.partition(',')[0].strip()}", fontsize=8)
            axes.set(xscale="log", yscale="log")
            axes.minorticks_off()
        for axes in panels:
            axes.set_visible(False)
        figure.supxlabel("epoch", fontsize=9)
        figure.supylabel("loss", fontsize=9)
        handles = figure.axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper center", ncols=2, fontsize=8)
    return figure
