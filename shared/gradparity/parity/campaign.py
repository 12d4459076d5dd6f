"""Long runs whose results are stored, and shown by the report."""

from __future__ import annotations

import json
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from .. import registry
from ..files import replace_files
from ..machine import machine, versions
from .agreement import ORACLE, Agreement, examine
from .faults import FAULTS as PLANTED
from .faults import FEATURES as PLANTED_IN_FEATURES
from .faults import Fault, Plant
from .faults import pairs as fault_pairs
from .features import features
from .judge import Verdict
from .randomized import Setting, random_setting, random_setting_of_any_kind
from .scoreboard import Outcome, Score, score
from .scoreboard import planted as layers_of
from .suite import Kind, suite

KINDS: dict[Kind, tuple[str, Callable[[np.random.Generator], Setting]]] = {
    "homework": ("agreement.json", random_setting),
    "any": ("agreement-any.json", random_setting_of_any_kind),
}
"""The file for the result, and the networks that are drawn."""

FAULTS = "faults.json"
DTYPES = ("float64", "float32")
_DRAWS = 3
_CHUNK = 20


def agreement(
    targets: Sequence[str],
    networks: int,
    seed: int,
    folder: Path,
    progress: Callable[[str], None] = lambda _: None,
    kind: Kind = "homework",
) -> Verdict:
    """Judge implementations on random networks, each with several draws in both dtypes, and store the result.

    `targets` are names or paths, as the registry knows them. The networks are the same for the same seed, however many
    processes share them.
    """
    found, features = Agreement(), Features()
    begin = time.perf_counter()
    for chunk, (part, counted) in _in_processes(judge_networks, networks, targets, seed, kind):
        found.merge(part)
        features.merge(counted)
        for number in chunk:
            progress(f"network {number + 1}")
    _store(
        folder,
        KINDS[kind][0],
        begin,
        command=f"gradparity agreement --networks {networks} --seed {seed} --kind {kind}"
        + "".join(f" --impl {target}" for target in targets if tuple(targets) != registry.PLAIN),
        networks=networks,
        seed=seed,
        agreement=found.summary(),
        features=features.summary(),
    )
    return found.verdict


def faults(
    networks: int, seed: int, folder: Path, progress: Callable[[str], None] = lambda _: None
) -> Verdict:
    """Plant every fault, on the vetted suites and on random networks, and store what was caught and how it was called.

    Agree: on the suites every fault was caught, and nowhere was one called by a wrong name.
    """
    begin = time.perf_counter()
    suites: dict[str, dict[str, Score]] = {"single": {}, "pairs": {}, "features": {}}
    random: dict[str, dict[str, Score]] = {"random": {}, "random_features": {}}
    for chunk, part in _in_processes(on_suites, len(planted_faults()), chunk=60):
        for name, table in part.items():
            suites[name] |= table
        progress(f"faults on the suites, {chunk[-1] + 1}")
    for chunk, part in _in_processes(on_random_networks, networks, seed):
        for name, table in part.items():
            for fault, one in table.items():
                random[name].setdefault(fault, Score()).merge(one)
        for number in chunk:
            progress(f"faults in network {number + 1}")
    scores = [one for table in (suites | random).values() for one in table.values()]
    misnamed = sum(one.outcomes[Outcome.MISNAMED] for one in scores)
    missed = sum(one.missed for table in suites.values() for one in table.values())
    _store(
        folder,
        FAULTS,
        begin,
        command=f"gradparity faults --networks {networks} --seed {seed}",
        networks=networks,
        seed=seed,
        **{
            name: {fault: one.summary() for fault, one in table.items()}
            for name, table in (suites | random).items()
        },
    )
    return Verdict.DISAGREE if misnamed or missed else Verdict.AGREE


def planted_faults() -> list[tuple[str, Fault]]:
    """All faults that are planted on a suite: single ones and pairs on the homework's, those of all else on theirs."""
    return [
        *(("single", fault) for fault in PLANTED),
        *(("pairs", fault) for fault in fault_pairs()),
        *(("features", fault) for fault in PLANTED_IN_FEATURES),
    ]


def on_suites(numbers: Sequence[int]) -> dict[str, dict[str, Score]]:
    """Score the faults of these numbers on the vetted suite that is theirs, in float64."""
    found: dict[str, dict[str, Score]] = {}
    homework, beyond = ([case for _, case in cases("float64")] for cases in (suite, features))
    with Plant() as plant:
        for kind, fault in [planted_faults()[number] for number in numbers]:
            cases = beyond if kind == "features" else homework
            one = score(fault, plant.plant(fault), cases, visibility=False)
            found.setdefault(kind, {})[str(fault)] = one
    return found


def on_random_networks(seed: int, numbers: Sequence[int]) -> dict[str, dict[str, Score]]:
    """Score every single fault on the random networks of these numbers, in float64, each network by itself."""
    found: dict[str, dict[str, Score]] = {"random": {}, "random_features": {}}
    with Plant() as plant:
        for table, drawn, faults in (
            ("random", random_setting, PLANTED),
            ("random_features", random_setting_of_any_kind, PLANTED_IN_FEATURES),
        ):
            planted = [(fault, plant.plant(fault)) for fault in faults]
            for number in numbers:
                rng = np.random.default_rng([seed, number])
                setting = drawn(rng)
                cases = [setting.draw(rng, "float64") for _ in range(_DRAWS)]
                depth = len(setting.network.layers)
                for fault, faulty in planted:
                    if layers_of(fault, depth):
                        one = score(fault, faulty, cases, visibility=True)
                        found[table].setdefault(str(fault), Score()).merge(one)
    return found


def _in_processes(
    work: Callable[..., Any], count: int, *arguments: Any, chunk: int = _CHUNK
) -> Iterator[tuple[range, Any]]:
    """Yield `work(*arguments, numbers)` for chunks of the numbers below `count`, in their order.

    A process for each chunk: JAX keeps what it compiled, and a thousand networks fill its memory maps.
    """
    chunks = [range(count)[at : at + chunk] for at in range(0, count, chunk)]
    with ProcessPoolExecutor(
        os.cpu_count(), mp_context=get_context("spawn"), max_tasks_per_child=1
    ) as pool:
        futures = [pool.submit(work, *arguments, numbers) for numbers in chunks]
        for future, numbers in zip(futures, chunks, strict=True):
            yield numbers, future.result()


def _store(folder: Path, name: str, begin: float, **result: Any) -> None:
    common = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions(),
        "minutes": round((time.perf_counter() - begin) / 60, 1),
    }
    replace_files(folder, {name: (json.dumps(common | result, indent=1) + "\n").encode()})


@dataclass
class Features:
    """What was found of the networks that have a feature, such as an activation, against the oracle.

    Attributes:
        configurations: judged, by feature.
        alarms: of these, where an implementation disagrees with the oracle.
        largest: share of the bound, by feature, dtype and phase.
    """

    configurations: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    largest: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def add(self, features: Iterable[str], found: Agreement) -> None:
        """Count what was found on one configuration that has these features."""
        judged = {key: phases for key, phases in found.tallies.items() if key[1] == ORACLE}
        alarm = any(subject for subject, other in found.first if other == ORACLE)
        for feature in features:
            self.configurations[feature] += 1
            self.alarms[feature] += alarm
            for (_, _, dtype), phases in judged.items():
                for phase, tally in phases.items():
                    self._raise((feature, dtype, phase), max(tally.shares, default=0.0))

    def merge(self, other: Features) -> None:
        """Take in what was found on further configurations."""
        self.configurations += other.configurations
        self.alarms += other.alarms
        for key, share in other.largest.items():
            self._raise(key, share)

    def _raise(self, key: tuple[str, str, str], share: float) -> None:
        self.largest[key] = max(self.largest.get(key, 0.0), share)

    def summary(self) -> list[dict[str, Any]]:
        """In plain numbers, for JSON; an infinite share is None."""
        return [
            {
                "feature": feature,
                "configurations": count,
                "alarms": self.alarms[feature],
                "largest_share": {
                    dtype: {
                        phase: share if math.isfinite(share) else None
                        for (name, of, phase), share in sorted(self.largest.items())
                        if (name, of) == (feature, dtype)
                    }
                    for dtype in DTYPES
                },
            }
            for feature, count in sorted(self.configurations.items())
        ]


def judge_networks(
    targets: Sequence[str], seed: int, kind: Kind, numbers: Sequence[int]
) -> tuple[Agreement, Features]:
    """Judge implementations on the random networks of these numbers."""
    implementations = {target.name: target for target in map(registry.load, targets)}
    found, features = Agreement(), Features()
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        setting = KINDS[kind][1](rng)
        for draw in range(_DRAWS):
            for dtype in DTYPES:
                where = f"network {number} draw {draw} {dtype}"
                one = examine(implementations, [(where, setting.draw(rng, dtype))])
                features.add(setting.features, one)
                found.merge(one)
    return found, features
