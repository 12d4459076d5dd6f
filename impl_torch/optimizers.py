"""What an optimizer makes of a gradient: `torch.optim`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from gradparity.contract import SGD, Adagrad, Adam, Params, RMSProp, Schedule, State, tensors

from .model import to_torch

NAMES = {
    "velocity": "momentum_buffer",
    "square_sum": "sum",
    "square_average": "square_avg",
    "first_moment": "exp_avg",
    "second_moment": "exp_avg_sq",
}
"""What torch calls the state's arrays."""


def make_optimizer(schedule: Schedule, lr: float, parameters: list[Tensor]) -> Optimizer:
    """The optimizer that follows the schedule's convention, which is torch's own but for some defaults."""
    # Only Adam knows the decoupled decay; the others are helped, before their step.
    coupled = 0.0 if schedule.decoupled else schedule.weight_decay
    optimizer: Optimizer
    match schedule.optimizer:
        case SGD(momentum, nesterov):
            optimizer = torch.optim.SGD(
                parameters, lr, momentum, weight_decay=coupled, nesterov=nesterov
            )
        case Adagrad(epsilon):
            optimizer = torch.optim.Adagrad(parameters, lr, weight_decay=coupled, eps=epsilon)
        case RMSProp(decay, epsilon):
            optimizer = torch.optim.RMSprop(
                parameters, lr, alpha=decay, eps=epsilon, weight_decay=coupled
            )
        case Adam(beta1, beta2, epsilon):
            optimizer = torch.optim.Adam(
                parameters,
                lr,
                betas=(beta1, beta2),
                eps=epsilon,
                weight_decay=schedule.weight_decay,
                decoupled_weight_decay=schedule.decoupled,
            )
            return optimizer
    if schedule.decoupled:
        shrink = 1 - lr * schedule.weight_decay

        def decay_weights(*_: object) -> None:
            with torch.no_grad():
                torch._foreach_mul_(parameters, shrink)

        optimizer.register_step_pre_hook(decay_weights)
    return optimizer


def load_state(optimizer: Optimizer, schedule: Schedule, state: State) -> None:
    """Give the optimizer this state; what it does not tell is zero."""
    names = schedule.optimizer.arrays
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    given = {name: tensors(state.arrays[name]) for name in names if name in state.arrays}

    def array(name: str, number: int) -> Tensor:
        if name not in given:
            return torch.zeros_like(parameters[number])
        return _to_torch(given[name][number])

    if names:
        kept = {
            number: {"step": torch.tensor(float(state.updates))}
            | {NAMES[name]: array(name, number) for name in names}
            for number in range(len(parameters))
        }
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": kept, "param_groups": groups})


def _to_torch(array: np.ndarray) -> Tensor:
    tensor = torch.tensor(array)
    return tensor if tensor.ndim == 1 else to_torch(tensor)


def read_state(
    optimizer: Optimizer,
    schedule: Schedule,
    to_params: Callable[[Callable[[Any], Tensor]], Params],
    updates: int,
) -> State:
    """The optimizer's state at this update count; `to_params` is that of the model."""

    def array(name: str) -> Params:
        # Before the first step torch has none.
        return to_params(
            lambda p: optimizer.state[p].get(NAMES[name], torch.zeros_like(p)).detach()
        )

    return State(updates, {name: array(name) for name in schedule.optimizer.arrays})
