"""The equations, in any dtype: the oracle, the teacher, and whatever else must be right by construction.

Shares no code with the implementations, so that a mistake in one of them cannot hide here. Works for real,
extended (`np.longdouble`) and complex arrays; the complex ones serve complex-step differentiation, by which
its gradients are checked.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..contract import Layer, Network, Params, Schedule, map_params

Array = np.ndarray


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^-z), with the exponential of a non-positive number only: it cannot overflow."""
    right = np.real(z) >= 0
    exp = np.exp(np.where(right, -z, z))
    return np.where(right, 1 / (1 + exp), exp / (1 + exp))


def sigmoid_prime(z: Array) -> Array:
    """σ'(z) = σ(z) σ(-z): unlike a (1 - a), it does not cancel where a is close to 1."""
    return sigmoid(z) * sigmoid(-z)


@dataclass(frozen=True, eq=False)
class Pass:
    """All that one forward and backward pass computes; list index = layer, from 0.

    Attributes:
        pre_activations: z of each layer, `(samples, units)`.
        activations: the inputs first, then a of each layer: one more than there are layers.
        loss: a scalar array of the pass's dtype.
        deltas: ∂loss/∂z of each layer.
        grads: ∂loss/∂parameter.
    """

    pre_activations: list[Array]
    activations: list[Array]
    loss: Any
    deltas: list[Array]
    grads: Params


def evaluate(network: Network, params: Params, inputs: Array, targets: Array) -> Pass:
    """One pass, in the dtype of its arguments.

    Forward: z_l = a_{l-1} W_l + b_l, a_l = σ(z_l). Loss: the mean of (a_L - y)² over all elements.
    Backward: δ_L = 2 (a_L - y) / elements ⊙ σ'(z_L), δ_l = δ_{l+1} W_{l+1}ᵀ ⊙ σ'(z_l);
    ∂/∂W_l = a_{l-1}ᵀ δ_l, ∂/∂b_l = Σ over samples of δ_l (Rumelhart, Hinton and Williams 1986).
    """
    depth = len(network.layers)
    activations, pre_activations = [inputs], []
    for layer in params:
        z = activations[-1] @ layer.weight
        if layer.bias is not None:
            z = z + layer.bias
        pre_activations.append(z)
        activations.append(sigmoid(z))

    residual = activations[-1] - targets
    loss = np.sum(residual * residual) / residual.size

    deltas = [residual * 2 / residual.size * sigmoid_prime(pre_activations[-1])]
    for index in range(depth - 1, 0, -1):
        upstream = deltas[0] @ np.swapaxes(params[index].weight, 0, 1)
        deltas.insert(0, upstream * sigmoid_prime(pre_activations[index - 1]))

    grads = tuple(
        Layer(
            np.swapaxes(activations[index], 0, 1) @ deltas[index],
            None if params[index].bias is None else np.sum(deltas[index], axis=0),
        )
        for index in range(depth)
    )
    return Pass(pre_activations, activations, loss, deltas, grads)


def sgd_step(params: Params, grads: Params, learning_rate: float) -> Params:
    """W - learning_rate · gradient."""
    return map_params(lambda w, g: w - w.dtype.type(learning_rate) * g, params, grads)


def weights_along(
    network: Network,
    params: Params,
    inputs: Array,
    targets: Array,
    schedule: Schedule,
    wanted: Collection[int],
) -> dict[int, Params]:
    """The reference's own weights at the update counts `wanted`, in the dtype of its arguments."""
    found = {}
    for update in range(max(wanted) + 1):
        if update in wanted:
            found[update] = params
        if update < schedule.updates:
            batch = schedule.batch(update)
            grads = evaluate(network, params, inputs[batch], targets[batch]).grads
            params = sgd_step(params, grads, schedule.learning_rate)
    return found


def cast(params: Params, dtype: Any) -> Params:
    """The same params in another dtype."""
    return map_params(lambda tensor: tensor.astype(dtype), params)
