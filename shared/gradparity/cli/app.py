"""The commands of `gradparity`. Exit codes: 0 agree, 1 disagree, 2 usage or bad input, 3 nothing could be judged."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor
from typing import Annotated

import typer

from .. import __version__
from ..errors import ContractError, InputError
from . import campaigns, check, port, report, terminal, trace
from . import run as running

app = typer.Typer(
    help="One experiment, three frameworks, the same numbers.",
    epilog="Exit codes: 0 agree, 1 disagree, 2 usage or bad input, 3 nothing could be judged.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("list")(running.list_installed)
app.command("run")(running.run_experiment)
app.command("compare")(running.compare_two_runs)
app.command("trace")(trace.trace_step)
app.command("report")(report.write_report)
app.command("check")(check.check_targets)
app.command("port")(port.port_pair)
app.command("sweep")(running.sweep_seeds)
app.command("random-networks")(campaigns.judge_random_networks)
app.command("study")(campaigns.study_seeds)
app.command("bench")(campaigns.time_implementations)
app.command("bit-for-bit")(campaigns.compare_bits)
app.command("planted-faults")(campaigns.plant_faults)
app.command("narrow-faults")(campaigns.judge_narrow_faults)


def run() -> None:
    """Run the command line; report a user's mistake in one message, without a traceback."""
    try:
        app()
    except (InputError, ContractError, MemoryError) as error:
        terminal.fail(str(error))
    except BrokenExecutor:
        terminal.fail("the command did not finish: an implementation ended a worker process")


def _print_version(wanted: bool) -> None:
    if wanted:
        terminal.say(f"gradparity {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=_print_version,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    pass
