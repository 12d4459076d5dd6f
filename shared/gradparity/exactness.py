"""The problems that exact variants can compute: float64, rounded to float32, gives the same bits in every framework."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .contract import SGD, Batch, Dense, Network, Schedule


def require(network: Network, inputs: Batch, schedule: Schedule | None = None) -> None:
    """Raise unless the result can be the same bits in every framework.

    Raises:
        ValueError: the dtype is not float32, or exact variants lack a layer, the loss or the optimizer.
    """
    if inputs.dtype != np.float32:
        raise ValueError(
            f'exact variants train in float32, found {inputs.dtype}: set dtype = "float32"'
        )
    if network.loss != "mse" or not all(isinstance(layer, Dense) for layer in network.layers):
        raise ValueError("exact variants support only dense layers and the MSE")
    if schedule and (not isinstance(schedule.optimizer, SGD) or schedule.decoupled):
        raise ValueError(
            "exact variants support only SGD, with or without momentum and coupled weight decay"
        )


def in_float32(schedule: Schedule) -> Schedule:
    """Return the same plan with learning rate, momentum and weight decay rounded to float32."""
    # With the float64 constant 1.05, w - 1.05 g often lies almost midway between two float32 numbers, and its rounding
    # depends on the last bit. The product of two float32 numbers is exact in float64, with and without a fused add.
    assert isinstance(schedule.optimizer, SGD)
    rate, momentum, decay = (
        float(np.float32(constant))
        for constant in (schedule.learning_rate, schedule.optimizer.momentum, schedule.weight_decay)
    )
    optimizer = replace(schedule.optimizer, momentum=momentum)
    return replace(schedule, learning_rate=rate, optimizer=optimizer, weight_decay=decay)
