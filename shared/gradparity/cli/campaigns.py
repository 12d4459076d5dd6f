"""Commands for the long runs (campaigns), whose results the report shows.

Each command imports its own campaign when it runs: importing all of them would double the time to start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import registry
from ..campaigns.study.sweeps import SEEDS
from ..device import CPU
from ..files import CAMPAIGNS, SWEEPS
from .options import Campaigns, Device, Impls, Kinds, Seed, Sweeps, chosen, load_implementations
from .terminal import finish, progress, say, show


def judge_random_networks(
    networks: Annotated[int, typer.Option(min=1, help="Number of random networks.")] = 1700,
    seed: Seed = 0,
    kind: Kinds = "core",
    draws: Annotated[
        int, typer.Option(min=1, help="Draws of weights and data for each network, in both dtypes.")
    ] = 3,
    impl: Impls = None,
    campaigns: Campaigns = CAMPAIGNS,
) -> None:
    """Judge the implementations on random networks. A long run: JAX compiles each network (about 0.5 s)."""
    from ..campaigns.random_networks.run import KINDS, random_networks

    targets = chosen(impl)
    with progress(networks) as advance:
        verdict = random_networks(targets, networks, seed, campaigns, advance, kind, draws)
    say(f"written to {campaigns / KINDS[kind][0].file}")
    finish(verdict)


def study_seeds(
    impl: Annotated[
        list[str] | None,
        typer.Option(
            help="An implementation, by name or path; repeatable; only the first one runs more than the "
            "assignment's table.",
            show_default="jax, numpy, torch",
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=2, help="Training runs in each sweep, one for each seed.")
    ] = SEEDS,
    campaigns: Campaigns = CAMPAIGNS,
    sweeps: Sweeps = SWEEPS,
) -> None:
    """Repeat the original assignment, and what it left blank, from many initial seeds. A long run.

    Every implementation trains the experiments of the assignment's table; the first one also trains everything else.

    Run the same command again to resume a stopped study.
    """
    from ..campaigns.study.record import STUDY
    from ..campaigns.study.run import steps, study

    # The first one runs almost everything: JAX, if installed, is by far the fastest.
    found = load_implementations(impl)
    targets = list(dict.fromkeys(impl or sorted(found, key=lambda name: name != "jax")))
    with progress(steps(targets)) as advance:
        study(targets, campaigns, seeds, sweeps, advance)
    say(f"written to {campaigns / STUDY.file}")


def time_implementations(
    impl: Annotated[
        list[str] | None,
        typer.Option(
            help="An implementation, by name or path; repeatable.",
            show_default="the plain and the tuned ones",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Time only the tiny network; takes about two minutes.")
    ] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Timed runs of each candidate.")] = 7,
    device: Device = CPU,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Output file for all figures, as JSON.",
            show_default=f"{CAMPAIGNS}/bench.json, none if --quick",
        ),
    ] = None,
) -> None:
    """Time each implementation against common ways to write it and against a C loop, on one thread."""
    from ..campaigns.bench.record import BENCH
    from ..campaigns.bench.run import TARGETS, bench, steps
    from ..campaigns.bench.tables import tables

    targets = list(dict.fromkeys(impl or TARGETS))
    for target in targets:
        registry.load(target)  # report errors before the work begins
    with progress(steps(targets, quick=quick)) as advance:
        found = bench(
            list(map(registry.absolute, targets)),
            quick=quick,
            rounds=rounds,
            device=device,
            progress=advance,
        )
    for number, table in enumerate(tables(found)):
        if number:
            say("")
        show(table)
    out = out or (None if quick else CAMPAIGNS / BENCH.file)
    if out is not None:
        BENCH.write(out, found)
        say(f"written to {out}")


def compare_bits(
    seeds: Annotated[
        int, typer.Option(min=1, help="Number of initial seeds for each experiment.")
    ] = 10,
    campaigns: Campaigns = CAMPAIGNS,
) -> None:
    """Compare the exact variants bit for bit, and attribute the differences between the plain ones to their causes."""
    from ..campaigns.bit_for_bit.record import BIT_FOR_BIT
    from ..campaigns.bit_for_bit.run import bit_for_bit, steps
    from ..campaigns.bit_for_bit.tables import differences, tables

    with progress(steps(seeds)) as advance:
        found = bit_for_bit(campaigns, seeds, advance)
    for table in tables(found):
        show(table)
        say("")
    for sentence in differences(found["exact"]):
        say(sentence)
    say(f"written to {campaigns / BIT_FOR_BIT.file}")


def plant_faults(
    networks: Annotated[int, typer.Option(min=1, help="Number of random networks.")] = 300,
    seed: Seed = 0,
    campaigns: Campaigns = CAMPAIGNS,
) -> None:
    """Plant known faults in a correct implementation; report which are caught and named correctly. A long run."""
    from ..campaigns.planted_faults.record import PLANTED_FAULTS
    from ..campaigns.planted_faults.run import planted_faults

    with progress(networks) as advance:
        verdict = planted_faults(networks, seed, campaigns, advance)
    say(f"written to {campaigns / PLANTED_FAULTS.file}")
    finish(verdict)


def judge_narrow_faults(
    every: Annotated[
        int, typer.Option(min=1, help="Judge every so many-th program only, for a shorter run.")
    ] = 1,
    campaigns: Campaigns = CAMPAIGNS,
) -> None:
    """Check right programs in unusual forms, and programs that are wrong under one condition only. A long run."""
    from ..campaigns.narrow_faults.record import NARROW_FAULTS
    from ..campaigns.narrow_faults.run import judge_programs, steps, tables, verdict

    with progress(steps(every)) as advance:
        found = judge_programs(campaigns, advance, every)
    for table in tables(found):
        show(table)
        say("")
    say(f"written to {campaigns / NARROW_FAULTS.file}")
    finish(verdict(found))
