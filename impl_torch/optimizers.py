"""The optimizers of `torch.optim`, and the conversion of their state to the contract's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gradparity.contract import SGD, Adagrad, Adam, Params, RMSProp, Schedule, State, tensors

from .layers import to_torch

NAMES = {
    "velocity": "momentum_buffer",
    "square_sum": "sum",
    "square_average": "square_avg",
    "first_moment": "exp_avg",
    "second_moment": "exp_avg_sq",
}
"""The names of the state's arrays in torch."""


def make_optimizer(schedule: Schedule, lr: float, parameters: list[Tensor]) -> Optimizer:
    """Make the optimizer that follows the schedule's convention, which is torch's own except for some defaults."""
    # Only Adam has the decoupled decay. With the others, a hook shrinks the weights before each step.
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
                for parameter in parameters:
                    parameter.mul_(shrink)

        optimizer.register_step_pre_hook(decay_weights)
    return optimizer


def load_state(optimizer: Optimizer, schedule: Schedule, state: State) -> None:
    """Give the optimizer this state. Arrays that the state lacks are zero."""
    names = schedule.optimizer.arrays
    if not names:
        return
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    kept: dict[int, dict[str, Tensor]] = {
        number: {"step": torch.tensor(float(state.updates))} for number in range(len(parameters))
    }
    for name in names:
        if name in state.arrays:
            arrays = [to_torch(torch.tensor(array)) for array in tensors(state.arrays[name])]
        else:
            arrays = [torch.zeros_like(parameter) for parameter in parameters]
        for number, array in enumerate(arrays):
            kept[number][NAMES[name]] = array
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": kept, "param_groups": groups})


def read_state(
    optimizer: Optimizer,
    schedule: Schedule,
    to_params: Callable[[Callable[[Any], Tensor]], Params],
    updates: int,
) -> State:
    """Convert the optimizer's state at this update count to the contract's; `to_params` is the model's method."""

    def array(name: str) -> Params:
        # Before the first step torch has no state.
        def read(p: Tensor) -> Tensor:
            return optimizer.state[p].get(NAMES[name], torch.zeros_like(p)).detach()

        return to_params(read)

    return State(updates, {name: array(name) for name in schedule.optimizer.arrays})
