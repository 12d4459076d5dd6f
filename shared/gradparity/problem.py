"""The input of every implementation: the arrays and the schedule of one training run."""

from __future__ import annotations

from dataclasses import dataclass

from .contract import Batch, Network, Params, Schedule


@dataclass(frozen=True, eq=False)
class Problem:
    """A network, its initial weights, the data and the training schedule."""

    network: Network
    params: Params
    inputs: Batch
    targets: Batch
    schedule: Schedule
