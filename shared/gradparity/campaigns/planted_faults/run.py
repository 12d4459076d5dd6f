"""Plant every fault, and store for the report whether it was caught and named correctly."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path

import numpy as np

from ...processes import in_chunks, spawned_for_each
from ...suites.core import core_suite
from ...suites.extended import extended_suite
from ...suites.random_networks import random_setting, random_setting_of_any_kind
from ...verdict.judge import Verdict
from ..random_networks.run import DRAWS
from .faults import EXTENDED, FAULTS, Fault, pairs
from .plant import Plant
from .record import PLANTED_FAULTS
from .scoreboard import Outcome, Score, score
from .scoreboard import planted as layers_of


def planted_faults(
    networks: int,
    seed: int,
    folder: Path,
    progress: Callable[[str], None] = lambda _: None,
    executor: Callable[[], Executor] = spawned_for_each,
) -> Verdict:
    """Plant every fault, on the vetted suites and on random networks; store which were caught and how they were named.

    Returns agree if every fault was caught on the suites, and none was called by a wrong name anywhere.
    """
    begin = time.perf_counter()
    suites: dict[str, dict[str, Score]] = {"single": {}, "pairs": {}, "features": {}}
    random: dict[str, dict[str, Score]] = {"random": {}, "random_features": {}}
    for chunk, part in in_chunks(on_suites, len(all_faults()), chunk=60, executor=executor):
        for name, table in part.items():
            suites[name] |= table
        progress(f"faults on the suites, {chunk[-1] + 1}")
    for chunk, part in in_chunks(on_random_networks, networks, seed, executor=executor):
        for name, table in part.items():
            for fault, one in table.items():
                random[name].setdefault(fault, Score()).merge(one)
        for number in chunk:
            progress(f"faults in network {number + 1}")
    scores = [one for table in (suites | random).values() for one in table.values()]
    misnamed = sum(one.outcomes[Outcome.MISNAMED] for one in scores)
    missed = sum(one.missed for table in suites.values() for one in table.values())
    record = PLANTED_FAULTS.record(
        begin,
        f"gradparity planted-faults --networks {networks} --seed {seed}",
        networks=networks,
        seed=seed,
        **{
            name: {fault: one.summary() for fault, one in table.items()}
            for name, table in (suites | random).items()
        },
    )
    PLANTED_FAULTS.write(folder / PLANTED_FAULTS.file, record)
    return Verdict.DISAGREE if misnamed or missed else Verdict.AGREE


def all_faults() -> list[tuple[str, Fault]]:
    """Return all faults for a suite: single ones and pairs for the core suite, features for the extended suite."""
    return [
        *(("single", fault) for fault in FAULTS),
        *(("pairs", fault) for fault in pairs()),
        *(("features", fault) for fault in EXTENDED),
    ]


def on_suites(numbers: Sequence[int]) -> dict[str, dict[str, Score]]:
    """Score the faults of these numbers on their vetted suite, in float64."""
    found: dict[str, dict[str, Score]] = {}
    core, extended = (
        [case for _, case in cases("float64")] for cases in (core_suite, extended_suite)
    )
    with Plant() as plant:
        for kind, fault in [all_faults()[number] for number in numbers]:
            cases = extended if kind == "features" else core
            one = score(fault, plant.plant(fault), cases, visibility=False)
            found.setdefault(kind, {})[str(fault)] = one
    return found


def on_random_networks(seed: int, numbers: Sequence[int]) -> dict[str, dict[str, Score]]:
    """Score every single fault on the random networks of these numbers, in float64, each network separately."""
    found: dict[str, dict[str, Score]] = {"random": {}, "random_features": {}}
    with Plant() as plant:
        for table, drawn, faults in (
            ("random", random_setting, FAULTS),
            ("random_features", random_setting_of_any_kind, EXTENDED),
        ):
            planted = [(fault, plant.plant(fault)) for fault in faults]
            for number in numbers:
                rng = np.random.default_rng([seed, number])
                setting = drawn(rng)
                cases = [setting.draw(rng, "float64") for _ in range(DRAWS)]
                depth = len(setting.network.layers)
                for fault, faulty in planted:
                    if layers_of(fault, depth):
                        one = score(fault, faulty, cases, visibility=True)
                        found[table].setdefault(str(fault), Score()).merge(one)
    return found
