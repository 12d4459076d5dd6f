"""The report's figures, drawn without a display; the same results give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ..contract import LOSS_KINDS
from ..experiments.accuracy import CLOSE, THRESHOLD
from ..experiments.accuracy import predictions as interpreted
from ..experiments.runner import Run
from ..plotting import COLOURS, DASHES, STYLE, Drawing
from ..reference.passes import evaluate
from ..verdict.compare_runs import loss_differences

_CLASS_COLOURS, _CLASS_MARKERS = ("#D55E00", "#0072B2"), ("o", "s")
# Not quite black and white: those two become the page's colours, and these must not.
_LINE, _EDGE = "#010101", "#fefefe"
_POINTS = 400
_GRID = 81


def drawings(runs: Sequence[Run]) -> dict[str, Drawing]:
    """Draw the figures of one experiment, by kind."""
    found = {}
    problem = runs[0].problem
    if problem.network.input_shape == (2,) and problem.targets.shape[1] == 1:
        found["predictions"] = predictions(runs)
        assignment = runs[0].experiment.assignment
        if assignment is not None and assignment.losses:
            found["boundaries"] = boundaries(runs)
    found["losses"] = losses(runs)
    if len(runs) > 1:
        found["differences"] = differences(runs)
    return {kind: Drawing.of(figure) for kind, figure in found.items()}


def predictions(runs: Sequence[Run]) -> Figure:
    """Draw the ground truth next to each implementation's prediction: the class on whose side of 0.5 the output lies.

    A ring marks a point whose output is further than 0.1 from its label. Only for two inputs and one output.
    """
    problem = runs[0].problem
    panels: list[tuple[str, np.ndarray, np.ndarray | None]] = [
        ("ground truth", problem.targets, None)
    ]
    panels += [
        (run.implementation, interpreted(problem.network, run.predictions), problem.targets)
        for run in runs
    ]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.5 * len(panels), 2.9), layout="constrained")
        for axes, (title, values, targets) in zip(
            figure.subplots(1, len(panels), sharex=True, sharey=True), panels, strict=True
        ):
            _scatter(axes, problem.inputs, values[:, 0])
            if targets is not None:
                missed = np.abs(values - targets)[:, 0] >= CLOSE
                axes.plot(*problem.inputs[missed].T, "o", ms=10, mfc="none", mec="black")
            axes.set_title(title)
            axes.set_aspect("equal")
            axes.set_xlabel("$x_1$")
        figure.axes[0].set_ylabel("$x_2$")
        figure.legend(
            *figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2
        )
    return figure


def boundaries(runs: Sequence[Run]) -> Figure:
    """Draw the output over the plane during training: a row for each of a few epochs, a column for each implementation.

    Computed by the reference from the weights that each run kept. Only for two inputs and one output.
    """
    experiment = runs[0].experiment
    problem = runs[0].problem
    per_epoch = problem.schedule.updates_per_epoch
    kept = sorted(runs[0].trajectory.kept)
    starts = [update for update in kept if update == 0 or update - 1 not in kept]
    last = len(starts) - 1
    chosen = [starts[at] for at in sorted({0, min(1, last), len(starts) // 2, last})]
    ticks = np.linspace(-0.1, 1.1, _GRID)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.1 * len(runs) + 0.9, 2.0 * len(chosen)), layout="constrained")
        panels = figure.subplots(len(chosen), len(runs), sharex=True, sharey=True, squeeze=False)
        for row, update in zip(panels, chosen, strict=True):
            for axes, run in zip(row, runs, strict=True):
                params = run.trajectory.kept[update].params
                nothing = np.zeros((len(points), 1))
                done = evaluate(problem.network, params, points.astype(experiment.dtype), nothing)
                plane = interpreted(problem.network, done.activations[-1]).reshape(_GRID, _GRID)
                image = axes.imshow(
                    plane,
                    origin="lower",
                    extent=(-0.1, 1.1, -0.1, 1.1),
                    cmap="PuOr",
                    interpolation="none",
                    vmin=0,
                    vmax=1,
                )
                if plane.min() < THRESHOLD < plane.max():
                    axes.contour(ticks, ticks, plane, [THRESHOLD], colors=_LINE, linewidths=1)
                _scatter(axes, problem.inputs, problem.targets[:, 0], size=3)
                axes.grid(visible=False)
            row[0].set_ylabel(f"epoch {update // per_epoch}")
        for axes, run in zip(panels[0], runs, strict=True):
            axes.set_title(run.implementation)
        figure.colorbar(image, ax=panels, label="output", shrink=0.5)
    return figure


def _scatter(axes: mpl.axes.Axes, inputs: np.ndarray, values: np.ndarray, size: float = 4) -> None:
    for label in (0, 1):
        chosen = (values > THRESHOLD) == label
        axes.plot(
            *inputs[chosen].T,
            _CLASS_MARKERS[label],
            ms=size,
            mec=_EDGE,
            mew=size / 10,
            color=_CLASS_COLOURS[label],
            label=f"class {label}",
        )


def losses(runs: Sequence[Run]) -> Figure:
    """Draw the learning curves over each other, the first one widest, so that the others show on top of it."""
    loss = runs[0].experiment.network.loss
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5, 3.2), layout="constrained")
        axes = figure.subplots()
        for index, run in enumerate(runs):
            epochs, values = epoch_losses(run)
            chosen = _log_spaced(len(epochs))
            axes.plot(
                epochs[chosen],
                values[chosen],
                color=COLOURS[index % len(COLOURS)],
                ls=DASHES[index % len(DASHES)],
                lw=max(6 - 2 * index, 1.5),
                label=run.implementation,
            )
        axes.set(
            xscale="log", yscale="log", xlabel="epoch", ylabel=f"loss ({LOSS_KINDS[loss].title})"
        )
        axes.minorticks_off()
        axes.legend()
    return figure


def differences(runs: Sequence[Run]) -> Figure:
    """Draw |a - b| / |b| of the losses of every two runs. Equal losses are drawn at the lower edge, u / 10."""
    u = float(np.finfo(runs[0].experiment.dtype).eps) / 2
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5, 3.2), layout="constrained")
        axes = figure.subplots()
        for index, (a, b) in enumerate(combinations(runs, 2)):
            values = loss_differences(a, b)
            chosen = _log_spaced(len(values))
            axes.plot(
                chosen + 1,
                np.maximum(values[chosen], u / 10),
                color=COLOURS[index % len(COLOURS)],
                ls=DASHES[index % len(DASHES)],
                lw=1.2,
                label=f"{a.implementation} – {b.implementation}",
            )
        axes.axhline(u, color="black", lw=0.8)
        axes.annotate("u", (1, u), xytext=(-2, 3), textcoords="offset points", ha="right")
        axes.set(
            xscale="log", yscale="log", xlabel="update", ylabel="relative difference of losses"
        )
        axes.set_ylim(u / 12, max(axes.get_ylim()[1], 30 * u))
        axes.minorticks_off()
        axes.legend(loc="upper left")
    return figure


def epoch_losses(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Return epoch numbers from 1, and the mean of the losses recorded in each epoch."""
    values = run.trajectory.losses.reshape(run.experiment.training.epochs, -1).mean(axis=1)
    return np.arange(1, len(values) + 1), values


def _log_spaced(length: int) -> np.ndarray:
    return np.unique(np.geomspace(1, length, _POINTS).astype(int)) - 1
