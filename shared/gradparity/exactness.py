"""What exact variants can compute: where float64, rounded to float32, gives the same bits in every framework."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .contract import SGD, Batch, Dense, Network, Schedule


def require(network: Network, inputs: Batch, schedule: Schedule | None = None) -> None:
    """Raise unless the result can be the same bits in every framework.

    Raises:
        ValueError: another dtype than float32, or a layer, loss or optimizer that exact variants lack.
    """
    if inputs.dtype != np.float32:
        raise ValueError(
            f'exact variants train in float32, found {inputs.dtype}: set dtype = "float32"'
        )
    if network.loss != "mse" or not all(isinstance(layer, Dense) for layer in network.layers):
        raise ValueError("exact variants know dense layers and the MSE, not convolutions or logits")
    if schedule and (not isinstance(schedule.optimizer, SGD) or schedule.decoupled):
        raise ValueError("exact variants know SGD, with momentum and coupled weight decay at most")


def in_float32(schedule: Schedule) -> Schedule:
    """The same plan, its learning rate, momentum and weight decay rounded to float32."""
    # In float64, 1.05 g is all but a short number wherever g is a multiple of 5 units, and w - 1.05 g often all but
    # midway between two numbers of float32. A product of two such numbers is exact, with and without a fused add.
    assert isinstance(schedule.optimizer, SGD)
    rate, momentum, decay = (
        float(np.float32(constant))
        for constant in (schedule.learning_rate, schedule.optimizer.momentum, schedule.weight_decay)
    )
    optimizer = replace(schedule.optimizer, momentum=momentum)
    return replace(schedule, learning_rate=rate, optimizer=optimizer, weight_decay=decay)
