"""The plan of a sweep: members, by seed, in every setting, cut into chunks in a fixed way."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

from .. import registry
from ..errors import InputError
from ..experiments.experiment import Experiment
from ..machine import versions
from .grid import Grid, change

FORMAT = 1
CHUNK = 128
"""Members trained at once: enough to make the cost of a call small, few enough to lose little when stopped."""


@dataclass(frozen=True, eq=False)
class Setting:
    """One point of the grid.

    Attributes:
        values: the values, by path in the experiment's file.
        experiment: the experiment with these values; its seed is not used.
        label: the values that vary, such as "learning_rate=0.5, scheme=he"; the experiment's name if none does.
    """

    values: Mapping[str, Any]
    experiment: Experiment
    label: str


class Chunk(NamedTuple):
    """Members of one setting that are trained at once."""

    setting: int
    seeds: range

    @property
    def name(self) -> str:
        """The path of the chunk's file in the sweep's folder."""
        return f"chunks/{self.setting:04d}-{self.seeds.start:08d}.json"


@dataclass(frozen=True, eq=False)
class Plan:
    """All that determines a sweep's results.

    Attributes:
        implementation: the implementation's name or path.
        seeds: members in each setting, with the seeds 0 … seeds - 1.
        fresh_data: each member's dataset is drawn from its seed, too.
        chunk_size: members trained at once; it may change the last bits.
    """

    experiment: Experiment
    implementation: str
    seeds: int
    settings: tuple[Setting, ...]
    fresh_data: bool = False
    chunk_size: int = CHUNK

    @property
    def chunks(self) -> list[Chunk]:
        """The chunks, in order; every member is in one of them."""
        every = range(self.seeds)
        return [
            Chunk(setting, every[first : first + self.chunk_size])
            for setting in range(len(self.settings))
            for first in range(0, self.seeds, self.chunk_size)
        ]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all that determines the results: settings, data, the implementation's source, and versions."""
        decides = [
            FORMAT,
            versions(),
            self.implementation,
            registry.source(self.implementation),
            self.seeds,
            self.fresh_data,
            self.chunk_size,
            [[dict(one.values), one.experiment.fingerprint] for one in self.settings],
        ]
        return hashlib.sha256(json.dumps(decides, default=str).encode()).hexdigest()


def make_plan(
    experiment: Experiment,
    implementation: str,
    seeds: int,
    grid: Grid | None = None,
    *,
    fresh_data: bool = False,
    chunk_size: int = CHUNK,
) -> Plan:
    """Make the plan of a sweep over `seeds` members in every setting of `grid`.

    Raises:
        InputError: a setting is invalid, or `fresh_data` is requested for a dataset that is not drawn from a seed.
    """
    grid = grid or {}
    own = ["initial.seed"]
    if fresh_data:
        own.append("dataset.seed")
    if taken := [path for path in own if path in grid]:
        raise InputError(f"{taken[0]} differs for each member: it cannot be set")
    varying = {path: path.partition(".")[2] or path for path in grid if len(grid[path]) > 1}
    settings = []
    for values in product(*grid.values()):
        point = dict(zip(grid, values, strict=True))
        label = ", ".join(f"{name}={_short(point[path])}" for path, name in varying.items())
        changed = change(experiment, point) if point else experiment
        if fresh_data and "seed" not in type(changed.dataset).model_fields:
            raise InputError(f"the dataset '{changed.dataset.name}' is not drawn from a seed")
        settings.append(Setting(point, changed, label or experiment.name))
    return Plan(experiment, implementation, seeds, tuple(settings), fresh_data, chunk_size)


def _short(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
