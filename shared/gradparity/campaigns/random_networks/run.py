"""Judge implementations on random networks, and store the result for the report."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ... import registry
from ...processes import in_chunks, spawned_for_each
from ...suites.core import Kind
from ...suites.random_networks import Setting, random_setting, random_setting_of_any_kind
from ...verdict.agreement import ORACLE, Agreement, judge_all
from ...verdict.judge import Verdict
from ..campaign import Campaign
from .record import CORE, FULL

KINDS: dict[Kind, tuple[Campaign, Callable[[np.random.Generator], Setting]]] = {
    "core": (CORE, random_setting),
    "full": (FULL, random_setting_of_any_kind),
}
"""By kind: the campaign, and the function that draws a network."""

DRAWS = 3
"""The usual number of draws of weights and data for each random network."""

DTYPES = ("float64", "float32")


def random_networks(
    targets: Sequence[str],
    networks: int,
    seed: int,
    folder: Path,
    progress: Callable[[str], None] = lambda _: None,
    kind: Kind = "core",
    draws: int = DRAWS,
    executor: Callable[[], Executor] = spawned_for_each,
) -> Verdict:
    """Judge implementations on random networks, each with several draws in both dtypes, and store the result.

    `targets` are names or paths, as the registry accepts them. The same seed gives the same networks, for any number of
    processes.
    """
    found, features = Agreement(), Features()
    begin = time.perf_counter()
    work = judge_networks, networks, targets, seed, kind, draws
    for chunk, (part, counted) in in_chunks(*work, executor=executor):
        found.merge(part)
        features.merge(counted)
        for number in chunk:
            progress(f"network {number + 1}")
    command = f"gradparity random-networks --networks {networks} --seed {seed} --kind {kind}"
    if draws != DRAWS:
        command += f" --draws {draws}"
    if tuple(targets) != registry.PLAIN:
        command += "".join(f" --impl {target}" for target in targets)
    campaign, _ = KINDS[kind]
    record = campaign.record(
        begin,
        command,
        networks=networks,
        seed=seed,
        agreement=found.summary(),
        features=features.summary(),
    )
    campaign.write(folder / campaign.file, record)
    return found.verdict


def judge_networks(
    targets: Sequence[str], seed: int, kind: Kind, draws: int, numbers: Sequence[int]
) -> tuple[Agreement, Features]:
    """Judge implementations on the random networks of these numbers."""
    implementations = registry.load_all(targets)
    found, features = Agreement(), Features()
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        setting = KINDS[kind][1](rng)
        for draw in range(draws):
            for dtype in DTYPES:
                where = f"network {number} draw {draw} {dtype}"
                one = judge_all(implementations, [(where, setting.draw(rng, dtype))])
                features.add(setting.features, one)
                found.merge(one)
    return found, features


@dataclass
class Features:
    """The results against the oracle on the networks that have a feature, such as an activation.

    Attributes:
        configurations: the number of judged configurations, by feature.
        alarms: the number of these on which an implementation disagrees with the oracle.
        largest: the largest share of the bound, by feature, dtype and phase.
    """

    configurations: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    largest: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def add(self, features: Iterable[str], found: Agreement) -> None:
        """Count the result on one configuration that has these features."""
        judged = {key: phases for key, phases in found.tallies.items() if key[1] == ORACLE}
        alarm = any(subject for subject, other in found.first if other == ORACLE)
        for feature in features:
            self.configurations[feature] += 1
            self.alarms[feature] += alarm
            for (_, _, dtype), phases in judged.items():
                for phase, tally in phases.items():
                    self._raise((feature, dtype, phase), max(tally.shares, default=0.0))

    def merge(self, other: Features) -> None:
        """Add the results on further configurations."""
        self.configurations += other.configurations
        self.alarms += other.alarms
        for key, share in other.largest.items():
            self._raise(key, share)

    def _raise(self, key: tuple[str, str, str], share: float) -> None:
        self.largest[key] = max(self.largest.get(key, 0.0), share)

    def summary(self) -> list[dict[str, Any]]:
        """Return plain numbers for JSON; an infinite share is None."""
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
