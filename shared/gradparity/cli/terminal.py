"""Print lines, tables and a progress bar; end a command with the verdict as its exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich import box, table
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from ..tables import Table
from ..verdict.judge import Verdict

EXIT_CODES = {Verdict.AGREE: 0, Verdict.DISAGREE: 1, Verdict.ABSTAIN: 3}
BAD_INPUT = 2


def output() -> Console:
    """Return standard output. If it is not a terminal, lines are not wrapped and have no escape codes."""
    return _console(terminal=sys.stdout.isatty())


def errors() -> Console:
    """Return standard error, in the same way."""
    return _console(terminal=sys.stderr.isatty(), stderr=True)


def _console(*, terminal: bool, stderr: bool = False) -> Console:
    # No emoji: a slice such as [:x:] is no cross.
    return Console(stderr=stderr, emoji=False, width=None if terminal else 1000)


def say(*lines: str) -> None:
    """Print lines without markup or highlighting."""
    output().print(*lines, sep="\n", highlight=False, markup=False)


def note(line: str) -> None:
    """Print a note to the user, to standard error."""
    errors().print(f"note: {line}", highlight=False, markup=False)


def fail(message: str) -> NoReturn:
    """Print an error in the user's input, and end the command."""
    errors().print(f"[bold red]error:[/] {escape(message)}", highlight=False)
    raise SystemExit(BAD_INPUT)


def show(rows: Table) -> None:
    """Print a table."""
    console = output()
    drawn = table.Table(box=box.SIMPLE_HEAD if console.is_terminal else None, pad_edge=False)
    for heading in rows.headings:
        drawn.add_column(heading, overflow="fold")
    for row in rows.rows:
        drawn.add_row(*map(escape, row))
    console.print(drawn)


def finish(verdict: Verdict) -> NoReturn:
    """Print the verdict, and end the command with its exit code."""
    output().print(f"verdict: {verdict.value}", style="bold")
    raise typer.Exit(EXIT_CODES[verdict])


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show a progress bar on a terminal. Each call names the task that begins, and counts the previous one as done."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = errors()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=total)
        begun = 0

        def advance(description: str) -> None:
            nonlocal begun
            bar.update(task, description=escape(description), completed=begun)
            begun += 1

        yield advance
