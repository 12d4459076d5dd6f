"""The command that judges a model ported from one framework to another."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..files import replace_files
from ..porting import judge, sides, text
from ..verdict.judge import Verdict
from .options import AsJson
from .terminal import EXIT_CODES, finish, output, progress, say


def port_pair(
    pair: Annotated[
        str,
        typer.Argument(
            metavar="PAIR",
            help="A .py file with inputs(rng), original() and port(original).",
        ),
    ],
    as_json: AsJson = False,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with both sources side by side.")
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            min=1, help="Seconds of CPU time for each side, and seconds that it may wait."
        ),
    ] = 600,
) -> None:
    """Judge whether a port computes what the original does: is it a bug or rounding, where, and why."""
    begun = time.perf_counter()
    with progress(3) as advance:
        recorded = sides.in_processes(pair, timeout, advance)
        advance("compare them")
        found = judge.judge(Path(pair).name, *recorded)
    found = replace(found, seconds=time.perf_counter() - begun)
    if html is not None:
        from ..report.port_page import page

        replace_files(html.parent, {html.name: page(found).encode()})
    if as_json:
        output().print_json(data={"headline": text.headline(found), **found.as_json()})
        raise typer.Exit(EXIT_CODES[Verdict(found.verdict)])
    say(*text.lines(found))
    finish(Verdict(found.verdict))
