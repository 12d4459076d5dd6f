"""Two figures of a sweep: how many members have succeeded by each epoch, and how their losses fall."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ..plotting import COLOURS, DASHES, STYLE
from .summary import SettingResult, quantiles, wilson

_COLUMNS = 3


def success(results: Sequence[SettingResult]) -> Figure:
    """Draw the share of members that have succeeded by each epoch, with its 95 % interval: a line for each setting."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.6 + 0.1 * len(results)), layout="constrained")
        axes = figure.subplots()
        for index, result in enumerate(results):
            reached = np.sort(result.epochs_to_success)
            members, end = len(reached), result.setting.experiment.training.epochs
            epochs = np.unique([0.0, *reached[np.isfinite(reached)], end])
            counts = np.searchsorted(reached, epochs, side="right")
            low, high = np.transpose([wilson(int(count), members) for count in counts])
            colour = COLOURS[index % len(COLOURS)]
            axes.step(
                epochs,
                counts / members,
                where="post",
                color=colour,
                ls=DASHES[index % len(DASHES)],
                label=result.setting.label,
            )
            axes.fill_between(epochs, low, high, step="post", color=colour, alpha=0.15, lw=0)
        axes.set(xlabel="epoch", ylabel="members that have succeeded", ylim=(-0.02, 1.02))
        axes.set_xlim(left=0)
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    return figure


def losses(results: Sequence[SettingResult]) -> Figure:
    """Draw the median loss, and the range of the middle 80 % of members, over epochs: a panel for each setting.

    Losses above ten times the highest loss at the start are not shown.
    """
    columns = min(len(results), _COLUMNS)
    rows = -(-len(results) // columns)
    ceiling = 10 * max(result.losses[0].max() for result in results)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(2.9 * columns, 5.0), 2.6 * rows + 0.4), layout="constrained")
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
        highest = 0.0
        for result, axes in zip(results, panels, strict=False):
            epochs = list(result.losses)
            found = [quantiles(values).values() for values in result.losses.values()]
            low, median, high = (
                np.array([math.inf if value is None else value for value in curve]).clip(
                    max=10 * ceiling
                )
                for curve in zip(*found, strict=True)
            )
            highest = max(highest, high.max())
            axes.fill_between(epochs, low, high, color=COLOURS[0], alpha=0.2, lw=0, label="10-90 %")
            axes.plot(epochs, median, "o-", ms=3, color=COLOURS[0], label="median")
            axes.set_title(result.setting.label.replace(", ", "\n"), fontsize=9)
            axes.tick_params(labelbottom=True)  # the panel below may be hidden
        figure.axes[0].set_yscale("log")
        if highest > ceiling:
            figure.axes[0].set_ylim(top=ceiling)
        for axes in panels:
            axes.set_visible(False)
        figure.supxlabel("epoch", fontsize=10)
        figure.supylabel("loss", fontsize=10)
        figure.axes[0].legend(fontsize=8)
    return figure
