"""Commands for experiments: list them, run one, compare two runs, and train from many seeds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from .. import registry
from ..device import CPU, use_device
from ..errors import InputError
from ..experiments import experiment, runner, store
from ..experiments.accuracy import accuracy, predictions
from ..files import RUNS
from ..machine import versions
from ..tables import Table
from .options import AsJson, Device, Experiment, Impl, Runs
from .terminal import finish, output, progress, say, show


def list_installed() -> None:
    """List implementations and experiments, with versions."""
    show(Table(("implementation", "module", "state"), list(_implementations())))
    say("")
    show(Table(("experiment", "title", "network", "rate", "epochs"), list(_experiments())))
    say("")
    say(", ".join(f"{package} {found}" for package, found in versions().items()))


def _implementations() -> Iterator[tuple[str, str, str]]:
    for name, point in registry.installed().items():
        try:
            registry.load(name)
            yield name, point.value, "ready"
        except InputError as error:
            yield name, point.value, str(error)


def _experiments() -> Iterator[tuple[str, ...]]:
    for one in experiment.in_order():
        training = one.training
        numbers = str(training.learning_rate), str(training.epochs)
        yield one.name, one.title, str(one.architecture), *numbers


def run_experiment(
    name: Experiment, impl: Impl = "numpy", device: Device = CPU, runs: Runs = RUNS
) -> None:
    """Train one experiment in one implementation, and keep the run."""
    chosen, target = experiment.load(name), registry.load(impl)
    on = {} if device == CPU else {"torch's and JAX's device": use_device(device)}
    with progress(1) as advance:
        advance(f"{chosen.name}: train in {target.name}")
        result = runner.run(target, chosen)
    result = replace(result, machine={**result.machine, **on})
    folder = store.save(result, runs)
    problem = result.problem
    rates = accuracy(predictions(problem.network, result.predictions), problem.targets)
    seconds = result.seconds
    say(
        f"{chosen.name} in {target.name}: loss {result.trajectory.final_loss:.6g} "
        f"after {chosen.training.epochs} epochs",
        f"accuracy {rates['within_0.1']:.1%} (|ŷ - y| < 0.1), {rates['threshold_0.5']:.1%} (threshold 0.5)",
        f"{seconds['train']:.2f} s"
        + (f", {seconds['compile']:.2f} s to compile" if seconds["compile"] else ""),
        f"kept in {folder}",
    )


def compare_two_runs(
    run_a: Annotated[
        str,
        typer.Argument(
            metavar="RUN_A", help="The folder of a kept run, or its name in the folder of runs."
        ),
    ],
    run_b: Annotated[
        str, typer.Argument(metavar="RUN_B", help="Another run of the same experiment.")
    ],
    runs: Runs = RUNS,
) -> None:
    """Compare two kept runs, for example from two machines or versions.

    Each run is judged on its own, by its kept weights. The distance between the two is shown, too.
    """
    from ..verdict import compare_runs, compare_tables

    a, b = store.load(run_a, runs), store.load(run_b, runs)
    result = compare_runs.compare(a, b)
    names = Path(run_a).name, Path(run_b).name
    show(compare_tables.verdicts(result, names, (a, b)))
    for line in compare_tables.faults(result, names):
        say(line)
    say("", compare_tables.first_difference(result))
    show(compare_tables.distances(result))
    finish(result.verdict)


def sweep_seeds(
    name: Experiment,
    seeds: Annotated[
        int, typer.Option(min=1, help="Training runs (members) in each setting, one for each seed.")
    ] = 64,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE,...",
            help="Values for a setting, such as learning_rate=0.5,1.05 or network.layers[0].units=4,10; "
            "repeatable: every combination is trained.",
        ),
    ] = None,
    fresh_data: Annotated[
        bool, typer.Option("--fresh-data", help="Draw the data of each member from its seed, too.")
    ] = False,
    impl: Impl = "numpy",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output folder; give the folder of a stopped sweep to resume it.",
            show_default="in reports/sweeps, named after its plan",
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Train on Dask: local, or a scheduler such as tcp://scheduler:8786.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train from many seeds; report how often it succeeds, and how soon. Run the same command again to resume."""
    from ..sweep import engines, grid, plan, run, summary

    chosen = experiment.load(name)
    planned = plan.make_plan(
        chosen, impl, seeds, grid.parse(chosen, settings or []), fresh_data=fresh_data
    )
    engine = engines.on_dask(dask) if dask else engines.in_this_process
    registry.load(impl)  # report errors before the work begins
    folder = out or run.default_folder(planned)
    with progress(len(planned.chunks)) as advance:
        results = run.sweep(planned, folder, engine, advance)
    if as_json:
        output().print_json(data=[one.summary() for one in results])
        return
    show(Table(summary.HEADINGS, [summary.row(one) for one in results]))
    say(f"written to {folder}")
