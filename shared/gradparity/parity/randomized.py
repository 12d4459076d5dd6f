"""Random networks and data, to measure the bound on what nobody chose by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..contract import Dense, Network, Schedule, map_params
from ..initial import batch_order, initial_params
from .case import Case
from .reference import cast

REGIMES = {"usual": 1.0, "tiny": 1e-3, "saturated": 6.0, "huge": 300.0}
"""Factor on standard-normal weights; the last two drive most units into saturation."""

_USUAL_SHARE = 0.55


@dataclass(frozen=True)
class Setting:
    """A network and the shape of its data: what a framework that compiles, compiles for.

    Attributes:
        network: of one to four layers.
        samples: in the data.
        batch_size: None for the full batch.
    """

    network: Network
    samples: int
    batch_size: int | None

    def draw(self, rng: np.random.Generator, dtype: str) -> Case:
        """Random weights, data and learning rate, and one step somewhere in two epochs of training."""
        others = (1 - _USUAL_SHARE) / (len(REGIMES) - 1)
        odds = [_USUAL_SHARE if name == "usual" else others for name in REGIMES]
        scale = REGIMES[rng.choice(list(REGIMES), p=odds)]
        seed = int(rng.integers(2**32))
        params = initial_params(self.network, "standard_normal", seed, "float64")
        params = cast(map_params(lambda tensor: scale * tensor, params), dtype)
        widths = self.network.widths
        inputs = rng.uniform(-1, 1, (self.samples, widths[0])) * 10 ** rng.uniform(-2, 1)
        targets = rng.uniform(0, 1, (self.samples, widths[-1]))
        epochs = 2
        schedule = Schedule(
            learning_rate=float(10 ** rng.uniform(-3, 1)),
            epochs=epochs,
            batch_size=self.batch_size,
            order=None if self.batch_size is None else batch_order(self.samples, epochs, seed),
        )
        return Case(
            self.network,
            params,
            inputs.astype(dtype),
            targets.astype(dtype),
            schedule,
            update=int(rng.integers(schedule.updates)),
        )


def random_setting(rng: np.random.Generator) -> Setting:
    """One to four layers of up to 16 units, now and then up to 100, each with a bias or without; 1 to 40 samples.

    Full batch and mini-batches are equally likely; the last batch of an epoch is mostly ragged.
    """
    depth = int(rng.integers(1, 5))
    limit = 100 if rng.random() < 0.05 else 16
    widths = [int(n) for n in rng.integers(1, limit + 1, depth + 1)]
    layers = tuple(Dense(units, bias=bool(rng.random() < 0.5)) for units in widths[1:])
    samples = int(rng.integers(1, 41))
    full = samples == 1 or rng.random() < 0.5
    batch_size = None if full else int(rng.integers(1, samples))
    return Setting(Network((widths[0],), layers), samples, batch_size)
