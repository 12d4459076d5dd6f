"""The workloads that are timed: networks of several sizes, on random data, in both dtypes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...contract import Batch, Dense, DType, Network, Params, Schedule, map_params
from ...experiments.initial import initial_params
from ...reference.passes import cast


@dataclass(frozen=True)
class Workload:
    """A network and the number of full-batch updates to train it for.

    Attributes:
        widths: inputs, then the units of each layer.
        samples: the number of samples in the batch.
        updates: the number of updates in one timed run.
        dtype: the dtype of all arrays.
        biases: True if the layers have biases.
        members: the number of networks trained at once; None for a single network.
        detailed: True if peers are timed, too, and the report has a table; else the workload is a point of a curve.
    """

    widths: tuple[int, ...]
    samples: int
    updates: int
    dtype: DType = "float32"
    biases: bool = False
    members: int | None = None
    detailed: bool = True

    @property
    def size(self) -> str:
        """Widths, samples and members in words."""
        single = self.members is None
        seeds = "" if single else f", {self.members} seed{'s' * (self.members != 1)} at once"
        return f"{'-'.join(map(str, self.widths))}, {self.samples} samples{seeds}"

    def __str__(self) -> str:
        return f"{self.size}, {self.dtype}"

    @property
    def network(self) -> Network:
        """The network: sigmoids and the MSE."""
        layers = tuple(Dense(units, bias=self.biases) for units in self.widths[1:])
        return Network(self.widths[:1], layers)

    @property
    def curves(self) -> dict[str, int]:
        """The workload's position on each of its curves, by the growing quantity. Depth counts hidden layers."""
        positions = {
            "width": self.widths[1],
            "depth": len(self.widths) - 2,
            "samples": self.samples,
            "seeds": self.members or 0,
        }
        at_any = replace(self, dtype=TINY.dtype)
        return {name: at for name, at in positions.items() if at_any in GROWTH[name]}

    @property
    def steps(self) -> int:
        """The number of updates of single networks in a timed run."""
        return self.updates * (self.members or 1)

    def problem(self) -> tuple[Network, Params, Batch, Batch, Schedule]:
        """Return the arguments of `train`, or of `train_ensemble` if there are members."""
        rng = np.random.default_rng(0)
        inputs = rng.uniform(size=(self.samples, self.widths[0])).astype(self.dtype)
        targets = rng.uniform(size=(self.samples, self.widths[-1])).astype(self.dtype)
        drawn = [
            initial_params(self.network, "xavier", seed, "float64")
            for seed in range(self.members or 1)
        ]
        params = drawn[0]
        if self.members is not None:
            params = map_params(lambda *parts: np.stack(parts), *drawn)
        schedule = Schedule(learning_rate=0.1, epochs=self.updates)
        return self.network, cast(params, self.dtype), inputs, targets, schedule


TINY = Workload((2, 4, 4, 1), samples=100, updates=10_000)
MEDIUM = Workload((64, 256, 256, 10), samples=256, updates=200, biases=True)
LARGE = Workload((784, 1024, 1024, 10), samples=1024, updates=20, biases=True)
SEEDS = tuple(
    replace(TINY, updates=max(2000 // members, 100), members=members)
    for members in (1, 10, 100, 1000)
)
SIZES = (TINY, replace(TINY, samples=21), MEDIUM, LARGE, *SEEDS)

POINT = replace(TINY, updates=1000, detailed=False)
GROWTH = {
    "width": tuple(
        replace(POINT, widths=(2, width, width, 1), updates=updates)
        for width, updates in ((4, 1000), (16, 1000), (64, 500), (256, 100), (1024, 20))
    ),
    "depth": tuple(
        replace(POINT, widths=(2, *[4] * depth, 1), updates=1000) for depth in (1, 2, 4, 8, 16)
    ),
    "samples": tuple(
        replace(POINT, samples=samples, updates=updates)
        for samples, updates in ((10, 1000), (100, 1000), (1000, 500), (10_000, 100))
    ),
    "seeds": SEEDS,
}
"""The workloads along each curve, by the growing quantity."""


def with_keras(workload: Workload) -> Workload | None:
    """Return the workload for Keras: a fifth of the tiny network's updates, because one takes a millisecond."""
    if workload.widths == TINY.widths and workload.updates == TINY.updates:
        return replace(workload, updates=workload.updates // 5)
    return workload if workload.widths == MEDIUM.widths else None


def workloads(*, quick: bool) -> Iterator[Workload]:
    """Yield all workloads; if `quick`, only the tiny network."""
    points = (point for curve in GROWTH.values() for point in curve)
    for size in (TINY,) if quick else dict.fromkeys((*SIZES, *points)):
        for dtype in ("float32", "float64"):
            yield replace(size, dtype=dtype)
