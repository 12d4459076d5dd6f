"""The command that checks any implementation."""

from __future__ import annotations

from typing import Annotated

import typer

from ..check import process
from ..check.report import Report
from ..tables import Table
from ..verdict.judge import combine
from .options import AsJson, Kinds
from .terminal import EXIT_CODES, finish, output, progress, say, show


def check_targets(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET",
            help="A program to check: a name, package.module, or path/to/file.py[:object].",
        ),
    ],
    adapter: Annotated[
        str | None,
        typer.Option(help="A .py file with functions that call the target; used for every target."),
    ] = None,
    as_json: AsJson = False,
    kind: Kinds = "core",
    timeout: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Seconds allowed for each target.",
            show_default="60; with --kind full, 300",
        ),
    ] = None,
) -> None:
    """Check whether an implementation is right; if not, show where it first goes wrong, and why."""
    with progress(len(targets)) as advance:
        reports = list(
            process.check(targets, adapter, kind=kind, timeout=timeout, progress=advance)
        )
    verdict = combine(one.verdict for one in reports)
    if as_json:
        output().print_json(data=[one.as_json() for one in reports])
        raise typer.Exit(EXIT_CODES[verdict])
    if len(reports) > 1:
        rows = [(one.target, one.verdict, one.headline) for one in reports]
        show(Table(("target", "verdict", "why"), rows))
    else:
        _print(reports[0])
    finish(verdict)


def _print(report: Report) -> None:
    say(report.title)
    if report.phases:
        say("")
        show(report.table())
    for line in report.details():
        say(line)
