"""The command that trains, judges and writes the report."""

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
from .options import Campaigns, Impls, chosen
from .terminal import finish, note, progress, say


def write_report(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="EXPERIMENT", help="Names of experiments, or .toml files.", show_default="all"
        ),
    ] = None,
    impl: Impls = None,
    out: Annotated[Path, typer.Option(help="Output folder of the report.")] = LATEST,
    campaigns: Campaigns = CAMPAIGNS,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Train the experiments in every implementation, judge them, and write the report."""
    from ..report.page import build  # it imports Matplotlib, a third of the time to start

    if names:
        loaded = {name: experiment.load(name) for name in names}
        registry.distinct((name, one.name) for name, one in loaded.items())
        experiments = list(loaded.values())
    else:
        experiments = list(with_data())
    targets = chosen(impl)
    with progress(len(experiments) + 2) as advance:
        verdict = build(experiments, targets, out, campaigns, advance)
    say(f"written to {out}/index.html")
    if show and not webbrowser.open((out / "index.html").resolve().as_uri()):
        note("could not open a browser")
    finish(verdict)


def with_data() -> Iterator[experiment.Experiment]:
    """Yield all experiments; leave out, with a note, those whose data need a package that is not installed."""
    for one in experiment.in_order():
        try:
            one.dataset.load()
        except InputError as error:
            note(f"{one.name} is left out: {error}")
        else:
            yield one
