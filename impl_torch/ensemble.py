"""Train many networks at once, with `torch.func.stack_module_state` and `vmap`."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad_and_value, stack_module_state

from gradparity.contract import (
    Batch,
    Ensemble,
    Layer,
    Network,
    Params,
    Schedule,
    Snapshot,
    map_params,
)

from .gradients import Model
from .layers import to_contract
from .losses import LOSSES
from .optimizers import make_optimizer, read_state


def train_ensemble(
    network: Network, params: Params, inputs: Batch, targets: Batch, schedule: Schedule
) -> Ensemble:
    """Train many networks at once: the members that share a learning rate share an optimizer."""
    members = len(params[0].weight)
    rates = np.broadcast_to(schedule.learning_rate, members)
    own_data = inputs.ndim > len(network.input_shape) + 1
    losses = np.empty((members, schedule.updates))
    kept: dict[int, list[tuple[np.ndarray, Snapshot]]] = {}
    for rate in np.unique(rates):
        (same,) = np.nonzero(rates == rate)
        losses[same], snapshots = _train(
            network,
            map_params(itemgetter(same), params),
            inputs[same] if own_data else inputs,
            targets[same] if own_data else targets,
            schedule,
            float(rate),
        )
        for update, one in snapshots.items():
            kept.setdefault(update, []).append((same, one))
    merged = {update: _merge(parts) for update, parts in kept.items()}
    final = merged[schedule.updates]
    return Ensemble(losses, final, {k: s for k, s in merged.items() if k in schedule.keep})


def _train(
    network: Network, params: Params, inputs: Batch, targets: Batch, schedule: Schedule, rate: float
) -> tuple[np.ndarray, dict[int, Snapshot]]:
    members = range(len(params[0].weight))
    models = [Model(network, map_params(itemgetter(k), params)) for k in members]
    # One tensor for all members, by the name of the parameter.
    stacked, _ = stack_module_state(models)
    # Detached: grad_and_value computes the gradients, so autograd need not build a graph as well.
    weights = {name: tensor.detach() for name, tensor in stacked.items()}
    optimizer = make_optimizer(schedule, rate, list(weights.values()))
    x, y = torch.tensor(inputs), torch.tensor(targets)
    data_axis = 0 if x.ndim > len(network.input_shape) + 1 else None

    def loss_of(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return LOSSES[network.loss](functional_call(models[0], weights, (x,))[-1], y)

    step = torch.vmap(grad_and_value(loss_of), in_dims=(0, data_axis, data_axis))

    def to_params(read: Callable[[Any], Tensor] = Tensor.detach) -> Params:
        def array(name: str) -> np.ndarray:
            members = torch.vmap(to_contract)(read(weights[name]))
            return members.numpy(force=True).copy(order="C")

        return tuple(
            Layer(array(f"layers.{k}.weight"), array(f"layers.{k}.bias") if layer.bias else None)
            for k, layer in enumerate(network.layers)
        )

    losses: list[Tensor] = []
    kept: dict[int, Snapshot] = {}
    for update in range(schedule.updates + 1):
        if update in schedule.keep or update == schedule.updates:
            kept[update] = Snapshot(to_params(), read_state(optimizer, schedule, to_params, update))
        if update < schedule.updates:
            batch = schedule.batch(update)
            rows = (batch,) if data_axis is None else (slice(None), batch)
            grads, loss = step(weights, x[rows], y[rows])
            for name, weight in weights.items():  # where the optimizer reads gradients
                weight.grad = grads[name]
            optimizer.step()
            losses.append(loss)
    return torch.stack(losses, 1).double().numpy(force=True), kept


def _merge(parts: list[tuple[np.ndarray, Snapshot]]) -> Snapshot:
    """Join the members of all learning rates, each at its own index."""
    order = np.argsort(np.concatenate([members for members, _ in parts]))
    snapshots = [snapshot for _, snapshot in parts]

    def merge(params: list[Params]) -> Params:
        return map_params(lambda *tensors: np.concatenate(tensors)[order], *params)

    state = snapshots[0].state
    arrays = {name: merge([s.state.arrays[name] for s in snapshots]) for name in state.arrays}
    return Snapshot(merge([s.params for s in snapshots]), state._replace(arrays=arrays))
