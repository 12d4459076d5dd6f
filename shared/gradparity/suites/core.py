"""The core suite: the configurations on which a target is judged, fixed, small, and chosen to distinguish mistakes.

No layer is square except where that is the purpose; N, N/2, 2 and the number of outputs all differ; the last batch is
ragged; targets are random; units are far from saturation. `tests/test_core_suite.py` checks this.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..contract import Dense, Network, Schedule
from ..experiments.initial import batch_order, initial_params
from ..verdict.case import CONSECUTIVE, Case

Kind = Literal["core", "full"]
"""A kind of networks. core: dense sigmoid layers, MSE, plain SGD; full: every activation, loss, optimizer and layer."""

Level = Literal["quick", "default", "thorough"]
"""How much is asked. quick: a draw of each edge, not the assignment itself; thorough: ten times the default's draws."""


@dataclass(frozen=True)
class Configuration:
    """The network and the shape of the data of one case.

    Attributes:
        widths: the number of inputs, then the units of each layer.
        biases: for each layer, True if it has a bias; a single value holds for all layers.
        samples: the number of samples in the data.
        batch_size: the samples in a batch; None for the full batch.
        update: the number of the update that is judged; the next one is judged as well.
    """

    widths: tuple[int, ...]
    biases: tuple[bool, ...]
    samples: int
    batch_size: int | None = None
    update: int = 0

    @property
    def network(self) -> Network:
        """The contract's `Network`."""
        biases = self.biases * (len(self.widths) - 1) if len(self.biases) == 1 else self.biases
        layers = tuple(
            Dense(units, bias=bias) for units, bias in zip(self.widths[1:], biases, strict=True)
        )
        return Network((self.widths[0],), layers)

    def __str__(self) -> str:
        batch = "full batch" if self.batch_size is None else f"batches of {self.batch_size}"
        biases = (
            "" if all(self.biases) else ", no biases" if not any(self.biases) else ", some biases"
        )
        return f"{'-'.join(map(str, self.widths))}{biases}, {self.samples} samples, {batch}"

    def schedule(self, learning_rate: float, seed: int, epochs: int | None = None) -> Schedule:
        """Make a plan; by default it is long enough for the updates that are judged."""
        full = self.batch_size is None
        per_epoch = 1 if self.batch_size is None else -(-self.samples // self.batch_size)
        epochs = epochs or -(-(self.update + CONSECUTIVE) // per_epoch)
        return Schedule(
            learning_rate=learning_rate,
            epochs=epochs,
            batch_size=self.batch_size,
            order=None if full else batch_order(self.samples, epochs, seed),
        )

    def case(
        self, dtype: str, seed: int, learning_rate: float | None = None, epochs: int | None = None
    ) -> Case:
        """Draw weights, data and order. Weights of deviation 2/√fan_in keep units active but not saturated."""
        rng = np.random.default_rng([seed, *self.widths, self.samples])
        network = self.network
        params = initial_params(network, "standard_normal", int(rng.integers(2**32)), "float64")
        scaled = tuple(
            layer._replace(weight=layer.weight * 2 / np.sqrt(len(layer.weight))) for layer in params
        )
        inputs = rng.uniform(-1, 1, (self.samples, self.widths[0]))
        targets = rng.uniform(0.05, 0.95, (self.samples, self.widths[-1]))
        schedule = self.schedule(learning_rate or 0.7, seed, epochs)
        return Case(network, scaled, inputs, targets, schedule, self.update).astype(dtype)


CORE_SUITE = (
    Configuration((3, 5, 4, 2), (True,), samples=13, batch_size=5, update=1),
    Configuration((2, 4, 4, 1), (False,), samples=21),
    Configuration((4, 6, 3), (True,), samples=11, batch_size=8, update=2),
    Configuration((6, 5, 1), (True,), samples=10),
    Configuration((5, 3), (True,), samples=9, batch_size=7, update=3),
    Configuration((3, 7, 5, 4, 2), (False, True, False, True), samples=17, batch_size=7, update=4),
    Configuration((4, 5, 5, 5, 3), (True,), samples=16, batch_size=9, update=1),
    Configuration((3, 4, 4), (True,), samples=14, batch_size=10, update=0),
)
"""The last two have square layers, which catch weights that are transposed by mistake."""


def core_suite(dtype: str) -> Iterator[tuple[str, Case]]:
    """Yield every configuration by name, with one fixed draw."""
    for configuration in CORE_SUITE:
        yield str(configuration), configuration.case(dtype, seed=0)
