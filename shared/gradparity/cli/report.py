"""The report: train, judge and write it."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from .. import registry
from ..errors import InputError
from ..experiments import experiment
from ..files import CAMPAIGNS, LATEST
from .options import Campaigns, Impls, load_implementations
from .terminal import finish, note, progress, say


def write_report(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="EXPERIMENT", help="Names or .toml files.", show_default="all"),
    ] = None,
    impl: Impls = None,
    out: Annotated[Path, typer.Option(help="Where to write the report.")] = LATEST,
    campaigns: Campaigns = CAMPAIGNS,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Train the experiments in every implementation, judge them, and write the report."""
    from ..report.page import build  # draws: Matplotlib is a third of the start

    experiments = [experiment.load(name) for name in names] if names else list(with_data())
    targets = impl or list(load_implementations(None))
    for target in targets:
        registry.load(target)  # what is wrong with it is said before the work begins
    with progress(len(experiments) + 2) as advance:
        verdict = build(experiments, targets, out, campaigns, advance)
    say(f"written to {out}/index.html")
    if show and not webbrowser.open((out / "index.html").resolve().as_uri()):
        note("no browser could be started")
    finish(verdict)


def with_data() -> Iterator[experiment.Experiment]:
    """All experiments; those whose data need what is not installed are left out with a note."""
    for one in experiment.in_order():
        try:
            one.dataset.load()
        except InputError as error:
            note(f"{one.name} is left out: {error}")
        else:
            yield one
