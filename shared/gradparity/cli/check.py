"""The command that checks any implementation."""

from __future__ import annotations

from typing import Annotated

import typer

from ..check import process
from ..check.report import Report
from ..errors import InputError
from ..suites.core import Level
from ..tables import Table
from ..verdict.judge import combine
from .options import AsJson, Kinds
from .terminal import EXIT_CODES, finish, output, progress, say, show


def check_targets(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET",
            help="A program to check: a name, package.module, or a .py or .ipynb file; each [:object].",
        ),
    ],
    adapter: Annotated[
        str | None,
        typer.Option(help="A .py file with functions that call the target; used for every target."),
    ] = None,
    as_json: AsJson = False,
    kind: Kinds = "core",
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Ask less: the vetted networks and one draw of each edge."),
    ] = False,
    thorough: Annotated[
        bool,
        typer.Option("--thorough", help="Ask ten times as much, and train the whole assignment."),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Accept only the assignment's own network, loss and gradient: another network or loss gives 3, "
            "another factor on the gradient 1.",
        ),
    ] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Seconds of CPU time allowed for each target, and seconds that it may wait.",
            show_default="60; with --kind full, 300; with --thorough ten times as many",
        ),
    ] = None,
) -> None:
    """Check whether an implementation is right; if not, show where it first goes wrong, and why."""
    if quick and thorough:
        raise InputError("--quick and --thorough exclude each other: give one of them")
    level: Level = "quick" if quick else "thorough" if thorough else "default"
    with progress(len(targets)) as advance:
        reports = list(
            process.check(
                targets,
                adapter,
                kind=kind,
                level=level,
                strict=strict,
                timeout=timeout,
                progress=advance,
            )
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
