"""What is timed: networks of several sizes, on random data, in both dtypes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..contract import Batch, Dense, DType, Network, Params, Schedule, map_params
from ..initial import initial_params
from ..parity.reference import cast


@dataclass(frozen=True)
class Workload:
    """A network to be trained for a number of updates on the full batch.

    Attributes:
        widths: inputs, then the units of each layer.
        samples: in the batch.
        updates: of one timed run.
        dtype: of all arrays.
        biases: the layers have some.
        members: trained at once; 1 for a single network.
    """

    widths: tuple[int, ...]
    samples: int
    updates: int
    dtype: DType = "float32"
    biases: bool = False
    members: int = 1

    @property
    def size(self) -> str:
        """Widths, samples and members in words."""
        members = "" if self.members == 1 else f", {self.members} seeds at once"
        return f"{'-'.join(map(str, self.widths))}, {self.samples} samples{members}"

    def __str__(self) -> str:
        return f"{self.size}, {self.dtype}"

    @property
    def network(self) -> Network:
        """Sigmoids and the MSE."""
        layers = tuple(Dense(units, bias=self.biases) for units in self.widths[1:])
        return Network(self.widths[:1], layers)

    @property
    def steps(self) -> int:
        """Updates of one network in a timed run."""
        return self.updates * self.members

    def problem(self) -> tuple[Network, Params, Batch, Batch, Schedule]:
        """What is trained: arguments of `train`, or of `train_ensemble` where there are several members."""
        rng = np.random.default_rng(0)
        inputs = rng.uniform(size=(self.samples, self.widths[0])).astype(self.dtype)
        targets = rng.uniform(size=(self.samples, self.widths[-1])).astype(self.dtype)
        drawn = [
            initial_params(self.network, "xavier", seed, "float64") for seed in range(self.members)
        ]
        params = drawn[0]
        if self.members > 1:
            params = map_params(lambda *parts: np.stack(parts), *drawn)
        schedule = Schedule(learning_rate=0.1, epochs=self.updates)
        return self.network, cast(params, self.dtype), inputs, targets, schedule


TINY = Workload((2, 4, 4, 1), samples=100, updates=10_000)
MEDIUM = Workload((64, 256, 256, 10), samples=256, updates=200, biases=True)
LARGE = Workload((784, 1024, 1024, 10), samples=1024, updates=20, biases=True)
SEEDS = tuple(
    replace(TINY, updates=max(2000 // members, 100), members=members) for members in (10, 100, 1000)
)
SIZES = (TINY, replace(TINY, samples=21), MEDIUM, LARGE, *SEEDS)


def workloads(*, quick: bool) -> Iterator[Workload]:
    """All of them; for a first look the tiny network alone."""
    for size in (TINY,) if quick else SIZES:
        for dtype in ("float32", "float64"):
            yield replace(size, dtype=dtype)
