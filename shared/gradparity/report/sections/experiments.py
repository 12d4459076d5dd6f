"""The experiments: their figures, tables and verdicts."""

from __future__ import annotations

from .section import Content, Trained


def show(trained: Trained) -> Content:
    """Return a part for each experiment."""
    return Content(
        {"commands": trained.commands},
        drawings={
            f"{result.experiment.name}-{kind}": figure
            for result in trained.results
            for kind, figure in result.figures.items()
        },
        parts=[
            (f"experiment-{result.experiment.name}", result.experiment.title)
            for result in trained.results
        ],
    )
