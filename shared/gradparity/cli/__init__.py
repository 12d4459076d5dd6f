"""The command line. Exit codes: 0 agree, 1 disagree, 2 usage or bad input, 3 nothing could be judged."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Annotated

import typer
from rich import box
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
from rich.table import Table

from .. import __version__, registry
from ..campaigns.bench.record import BENCH
from ..campaigns.bench.run import TARGETS, bench
from ..campaigns.bench.workloads import workloads
from ..campaigns.bit_for_bit.record import BIT_FOR_BIT
from ..campaigns.bit_for_bit.run import bit_for_bit
from ..campaigns.bit_for_bit.run import steps as bit_for_bit_steps
from ..campaigns.bit_for_bit.tables import differences, tables
from ..campaigns.planted_faults.record import PLANTED_FAULTS
from ..campaigns.planted_faults.run import planted_faults
from ..campaigns.random_networks.run import KINDS, random_networks
from ..campaigns.study.record import STUDY
from ..campaigns.study.run import steps
from ..campaigns.study.run import study as carry_out
from ..campaigns.study.sweeps import SEEDS
from ..check import process
from ..check.examine import Report
from ..device import CPU, use_device
from ..errors import ContractError, InputError
from ..experiments import experiment, store
from ..experiments.accuracy import accuracy, predictions
from ..experiments.runner import run as train
from ..files import CAMPAIGNS, LATEST
from ..guarded import Guarded
from ..machine import versions
from ..suites.core import Kind
from ..sweep.engines import in_this_process, on_dask
from ..sweep.grid import parse as parse_grid
from ..sweep.plan import make_plan
from ..sweep.run import SWEEPS, default_folder, sweep
from ..sweep.summary import HEADINGS, row
from ..verdict import compare_runs as comparison
from ..verdict.judge import Verdict, combine
from ..verdict.kept_run import Testimony

EXIT_CODES = {Verdict.AGREE: 0, Verdict.DISAGREE: 1, Verdict.ABSTAIN: 3}
BAD_INPUT = 2

app = typer.Typer(
    help="One experiment, three frameworks, the same numbers.",
    epilog="Exit codes: 0 agree, 1 disagree, 2 usage or bad input, 3 nothing could be judged.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# Where the output is no terminal, lines are as long as they need be and hold no escape codes.
_out = Console() if sys.stdout.isatty() else Console(width=1000)
_err = Console(stderr=True) if sys.stderr.isatty() else Console(stderr=True, width=1000)

Impl = Annotated[str, typer.Option(help="An implementation: a name, or path/to/file.py[:object].")]
Impls = Annotated[
    list[str] | None,
    typer.Option(
        "--impl",
        help="An implementation, by name or path; repeat for several.",
        show_default="numpy, torch, jax",
    ),
]
Kinds = Annotated[
    Kind,
    typer.Option(help="The homework's networks, or any activation, loss, optimizer and layer."),
]
Device = Annotated[
    str,
    typer.Option(
        help="Where torch and JAX keep their arrays: cpu, or cuda, without TF32. NumPy stays on the CPU."
    ),
]
Runs = Annotated[Path, typer.Option(help="Where runs are kept.")]


def main() -> None:
    """Run the command line; what a user did wrong is said in one message, without a traceback."""
    try:
        app()
    except (InputError, ContractError, MemoryError) as error:
        _err.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False)
        raise SystemExit(BAD_INPUT) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        _out.print(f"gradparity {__version__}", highlight=False)
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


@app.command("list")
def list_() -> None:
    """Implementations and experiments, with versions."""
    table = _table("implementation", "module", "state")
    for name, point in registry.installed().items():
        try:
            registry.load(name)
            state = "ready"
        except InputError as error:
            state = str(error)
        table.add_row(name, point.value, escape(state))
    _out.print(table)
    _out.print()
    table = _table("experiment", "title", "network", "rate", "epochs")
    for one in experiment.in_order():
        table.add_row(
            one.name,
            escape(one.title),
            str(one.architecture),
            str(one.training.learning_rate),
            str(one.training.epochs),
        )
    _out.print(table)
    _out.print()
    _out.print(
        ", ".join(f"{package} {found}" for package, found in versions().items()), highlight=False
    )


@app.command("run")
def run_(
    name: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="A name, or a .toml file.")],
    impl: Impl = "numpy",
    device: Device = CPU,
    runs: Runs = store.RUNS,
) -> None:
    """Train one experiment in one implementation, and keep the run."""
    chosen, target = experiment.load(name), registry.load(impl)
    on = {} if device == CPU else {"torch's and JAX's device": use_device(device)}
    with _progress(1) as advance:
        advance(f"{chosen.name}: train in {target.name}")
        result = train(target, chosen)
    result = replace(result, machine={**result.machine, **on})
    folder = store.save(result, runs)
    rates = accuracy(
        predictions(result.problem.network, result.predictions), result.problem.targets
    )
    seconds = result.seconds
    _out.print(
        f"{chosen.name} in {target.name}: loss {result.trajectory.final_loss:.6g} "
        f"after {chosen.training.epochs} epochs",
        f"accuracy {rates['within_0.1']:.1%} (|ŷ - y| < 0.1), {rates['threshold_0.5']:.1%} (threshold 0.5)",
        f"{seconds['train']:.2f} s"
        + (f", {seconds['compile']:.2f} s to compile" if seconds["compile"] else ""),
        f"kept in {folder}",
        sep="\n",
        highlight=False,
        markup=False,
    )


@app.command()
def compare(
    run_a: Annotated[
        str,
        typer.Argument(metavar="RUN_A", help="A run's folder, or its name in the folder of runs."),
    ],
    run_b: Annotated[
        str, typer.Argument(metavar="RUN_B", help="Another run of the same experiment.")
    ],
    runs: Runs = store.RUNS,
) -> None:
    """Compare two kept runs, perhaps from two machines or versions.

    Each is judged on its own, by the weights it kept; how far apart they are is shown beside.
    """
    a, b = store.load(run_a, runs), store.load(run_b, runs)
    result = comparison.compare(a, b)
    table = _table("run", "implementation", "judged", "share", "free run", "verdict")
    for name, one, testimony in zip((run_a, run_b), (a, b), result.testimonies, strict=True):
        largest = max((finding.share for _, finding in testimony.findings), default=0.0)
        table.add_row(
            escape(Path(name).name),
            escape(one.implementation),
            f"{len(testimony.findings)} tensors",
            f"{largest:.2g}",
            testimony.free_run.in_words,
            testimony.verdict.value,
        )
    _out.print(table)
    for name, testimony in zip((run_a, run_b), result.testimonies, strict=True):
        for line in _faults(testimony):
            _out.print(f"{Path(name).name}: {line}", highlight=False, markup=False)
    _out.print()
    if result.first_difference is None:
        _out.print("the recorded losses are the same to the last bit")
    else:
        _out.print(
            f"the recorded losses first differ at update {result.first_difference}", highlight=False
        )
    table = _table("update", "weights apart", "losses apart")
    for update, distance in result.distances.items():
        inside = update < len(result.loss_differences)
        loss = f"{result.loss_differences[update]:.2g}" if inside else ""
        table.add_row(str(update), f"{distance:.2g}", loss)
    _out.print(table)
    _finish(result.verdict)


@app.command()
def report(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="EXPERIMENT", help="Names or .toml files.", show_default="all"),
    ] = None,
    impl: Impls = None,
    out: Annotated[Path, typer.Option(help="Where to write the report.")] = LATEST,
    campaigns: Annotated[Path, typer.Option(help="Where campaigns' results are.")] = CAMPAIGNS,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Train the experiments in every implementation, judge them, and write the report."""
    from ..report.page import build  # draws: Matplotlib is a third of the start

    experiments = [experiment.load(name) for name in names] if names else list(_with_data())
    targets = impl or list(_implementations(None))
    for target in targets:
        registry.load(target)  # what is wrong with it is said before the work begins
    with _progress(len(experiments) + 2) as advance:
        verdict = build(experiments, targets, out, campaigns, advance)
    _out.print(f"written to {out}/index.html", highlight=False, markup=False)
    if show and not webbrowser.open((out / "index.html").resolve().as_uri()):
        _err.print("note: no browser could be started", highlight=False, markup=False)
    _finish(verdict)


@app.command()
def check(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="TARGET",
            help="A name, package.module, or path/to/file.py[:object].",
        ),
    ],
    adapter: Annotated[
        str | None, typer.Option(help="A file that wraps every target in the same way.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    kind: Kinds = "homework",
    timeout: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="Seconds that a target may take.",
            show_default="60; with --kind any, 300",
        ),
    ] = None,
) -> None:
    """Is this implementation right? If not, where does it go wrong first, and why?"""
    with _progress(len(targets)) as advance:
        reports = list(
            process.check(targets, adapter, kind=kind, timeout=timeout, progress=advance)
        )
    if as_json:
        _out.print_json(data=[one.as_json() for one in reports])
        raise typer.Exit(EXIT_CODES[combine(Verdict(one.verdict) for one in reports)])
    if len(reports) > 1:
        table = _table("target", "verdict", "why")
        for one in reports:
            table.add_row(escape(one.target), one.verdict, escape(one.headline))
        _out.print(table)
    else:
        _print_report(reports[0])
    _finish(combine(Verdict(one.verdict) for one in reports))


def _print_report(report: Report) -> None:
    _say(f"{report.target}: {report.verdict}: {report.headline}")
    if report.phases:
        table = _table("dtype", "phase", "tensors", "abstained", "of the bound", "verdict")
        for dtype, phases in report.phases.items():
            for phase, found in phases.items():
                share = found["largest_share"]
                table.add_row(
                    dtype,
                    phase,
                    str(found["tensors"]),
                    str(found["abstained"]),
                    "beyond" if share is None else f"{share:.2g}",
                    found["verdict"],
                )
        _out.print()
        _out.print(table)
    if report.first:
        _say(
            f"first wrong: {report.first['dtype']}, {report.first['step']}: {report.first['text']}"
        )
    for title, lines in (
        ("diagnosis", report.diagnosis),
        ("notes", report.notes),
        ("not judged", report.not_judged),
    ):
        if lines:
            _say(f"{title}:")
            for line in lines:
                _say(f"  {line}")
    if report.verdict == Verdict.ABSTAIN and report.output.strip():
        _say("the end of what it printed:")
        _say(report.output.rstrip())


def _say(line: str) -> None:
    _out.print(line, highlight=False, markup=False)


@app.command("sweep")
def sweep_(
    name: Annotated[str, typer.Argument(metavar="EXPERIMENT", help="A name, or a .toml file.")],
    seeds: Annotated[int, typer.Option(min=1, help="Members in each setting.")] = 64,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PATH=VALUE,...",
            help="Values of a setting, such as learning_rate=0.5,1.05 or network.layers[0].units=4,10; "
            "repeat for every combination.",
        ),
    ] = None,
    fresh_data: Annotated[
        bool, typer.Option("--fresh-data", help="Draw the data from each member's seed, too.")
    ] = False,
    impl: Impl = "numpy",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where to keep it; if it was stopped, where to go on.",
            show_default="in reports/sweeps, named after its plan",
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Train on Dask: local, or tcp://scheduler:8786."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Train from many seeds: how often does it succeed, and how soon? The same command goes on where it was stopped."""
    chosen = experiment.load(name)
    grid = parse_grid(chosen, settings or [])
    plan = make_plan(chosen, impl, seeds, grid, fresh_data=fresh_data)
    engine = on_dask(dask) if dask else in_this_process
    registry.load(impl)  # what is wrong with it is said before the work begins
    folder = out or default_folder(plan)
    with _progress(len(plan.chunks)) as advance:
        results = sweep(plan, folder, engine, advance)
    if as_json:
        _out.print_json(data=[one.summary() for one in results])
        return
    table = _table(*HEADINGS)
    for one in results:
        table.add_row(*map(escape, row(one)))
    _out.print(table)
    _say(f"written to {folder}")


@app.command("random-networks")
def random_networks_(
    networks: Annotated[int, typer.Option(min=1, help="How many random networks.")] = 1700,
    seed: Annotated[int, typer.Option(min=0, help="Which ones.")] = 0,
    kind: Kinds = "homework",
    impl: Impls = None,
    campaigns: Annotated[Path, typer.Option(help="Where to write the result.")] = CAMPAIGNS,
) -> None:
    """Judge the implementations on random networks (a campaign: JAX compiles each one, half a second each)."""
    targets = impl or list(_implementations(None))
    with _progress(networks) as advance:
        verdict = random_networks(targets, networks, seed, campaigns, advance, kind)
    _out.print(f"written to {campaigns / KINDS[kind][0].file}", highlight=False, markup=False)
    _finish(verdict)


@app.command()
def study(
    impl: Annotated[
        list[str] | None,
        typer.Option(
            help="An implementation, by name or path; repeat for several; the first makes most of it.",
            show_default="jax, numpy, torch",
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Members of each sweep.")] = SEEDS,
    campaigns: Annotated[Path, typer.Option(help="Where to write the result.")] = CAMPAIGNS,
    sweeps: Annotated[Path, typer.Option(help="Where sweeps are kept.")] = SWEEPS,
) -> None:
    """What the homework did and what it left blank, over many initial seeds (a campaign).

    The homework's table is made in every implementation, all else in the first. A study that was stopped goes on
    where it was.
    """
    # The first makes most of it: JAX, if it is there, is by far the fastest.
    found = _implementations(impl)
    targets = list(dict.fromkeys(impl or sorted(found, key=lambda name: name != "jax")))
    with _progress(steps(targets)) as advance:
        carry_out(targets, campaigns, seeds, sweeps, advance)
    _out.print(f"written to {campaigns / STUDY.file}", highlight=False, markup=False)


@app.command("bench")
def bench_(
    impl: Annotated[
        list[str] | None,
        typer.Option(
            help="An implementation, by name or path; repeat for several.",
            show_default="the plain and the tuned ones",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="The tiny network alone: two minutes or so.")
    ] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Timed runs of each candidate.")] = 7,
    device: Device = CPU,
    place: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="Where to write all figures.",
            show_default=f"{CAMPAIGNS / BENCH.file}, none if --quick",
        ),
    ] = None,
) -> None:
    """How fast is each implementation, beside the usual ways and beside the limit? One thread of one core."""
    targets = list(dict.fromkeys(impl or TARGETS))
    for target in targets:
        registry.load(target)  # what is wrong with it is said before the work begins
    steps = len(targets) + len(list(workloads(quick=quick)))
    with _progress(steps) as advance:
        found = bench(
            list(map(registry.absolute, targets)),
            quick=quick,
            rounds=rounds,
            device=device,
            progress=advance,
        )
    for one in filter(itemgetter("detailed"), found["workloads"]):
        table = _table("first, s", "µs a step", "CPU", "× limit", f"{one['size']}, {one['dtype']}")
        for line in one["rows"]:
            low, median, high = line["us_per_step"]
            ratio = line["times_limit"]
            table.add_row(
                f"{line['first_seconds']:.2f}",
                f"{median:.3g} ({low:.3g}-{high:.3g})",
                f"{line['cpu_us_per_step']:.3g}",
                "" if ratio is None else f"{ratio:.3g}",
                escape(line["candidate"]),
            )
        _out.print(table)
        _out.print()
    table = _table("implementation", "start, s", "peak, MB")
    for name, cost in found["start_up"].items():
        table.add_row(escape(name), f"{cost['seconds']:.2f}", f"{cost['peak_mb']:.0f}")
    _out.print(table)
    place = place or (None if quick else CAMPAIGNS / BENCH.file)
    if place is not None:
        BENCH.write(place, found)
        _say(f"written to {place}")


@app.command("bit-for-bit")
def bit_for_bit_(
    seeds: Annotated[int, typer.Option(min=1, help="Initial seeds of each experiment.")] = 10,
    campaigns: Annotated[Path, typer.Option(help="Where to write the result.")] = CAMPAIGNS,
) -> None:
    """Bit for bit: are the exact variants the same, and which cause has each other difference? (a campaign)."""
    with _progress(bit_for_bit_steps(seeds)) as advance:
        found = bit_for_bit(campaigns, seeds, advance)
    for headings, lines in tables(found):
        table = _table(*headings)
        for line in lines:
            table.add_row(*line)
        _out.print(table)
        _out.print()
    for sentence in differences(found["exact"]):
        _say(sentence)
    _say(f"written to {campaigns / BIT_FOR_BIT.file}")


@app.command("planted-faults")
def planted_faults_(
    networks: Annotated[int, typer.Option(min=1, help="How many random networks.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Which ones.")] = 0,
    campaigns: Annotated[Path, typer.Option(help="Where to write the result.")] = CAMPAIGNS,
) -> None:
    """Plant known faults in a correct implementation: is each caught, and named rightly? (a campaign)."""
    with _progress(networks) as advance:
        verdict = planted_faults(networks, seed, campaigns, advance)
    _out.print(f"written to {campaigns / PLANTED_FAULTS.file}", highlight=False, markup=False)
    _finish(verdict)


def _implementations(names: Sequence[str] | None) -> dict[str, Guarded]:
    """Those named; or the three plain ones, less those whose framework is missing, which is said."""
    if names:
        loaded = [registry.load(name) for name in dict.fromkeys(names)]
        return {target.name: target for target in loaded}
    found = {}
    for name in registry.PLAIN:
        try:
            found[name] = registry.load(name)
        except registry.MissingFrameworkError as error:
            _err.print(f"note: {error}", highlight=False, markup=False)
    return found


def _with_data() -> Iterator[experiment.Experiment]:
    """All experiments, less those whose data need what is not installed, which is said."""
    for one in experiment.in_order():
        try:
            one.dataset.load()
        except InputError as error:
            _err.print(f"note: {one.name} is left out: {error}", highlight=False, markup=False)
        else:
            yield one


def _finish(verdict: Verdict) -> None:
    _out.print(f"verdict: {verdict.value}", style="bold")
    raise typer.Exit(EXIT_CODES[verdict])


def _faults(testimony: Testimony) -> Iterator[str]:
    if not testimony.same_start:
        yield "it does not start from the experiment's initial weights"
    wrong = [(at, f) for at, f in testimony.findings if f.verdict is Verdict.DISAGREE]
    if wrong:
        update, finding = wrong[0]
        yield f"first wrong at update {update}: {finding}"
    if testimony.free_run.outside_at is not None:
        yield f"outside what rounding can do from update {testimony.free_run.outside_at} on"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD if _out.is_terminal else None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal, nothing elsewhere. Each call names what begins, and so ends what went before."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as bar:
        task = bar.add_task("", total=total)
        begun = 0

        def advance(description: str) -> None:
            nonlocal begun
            bar.update(task, description=escape(description), completed=begun)
            begun += 1

        yield advance
