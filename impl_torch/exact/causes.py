"""The causes of different last digits: each can be torch's own arithmetic, or one that every framework shares.

This works only for networks like those of the core experiments: sigmoid layers without biases, the MSE, and plain
gradient descent on the full batch.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.autograd import Function

from gradparity.contract import Batch, Network, Params, Schedule

from .. import losses as own
from ..gradients import Model

# ln 2 in two parts: the first has so few digits that its product with a small integer is exact.
LN2_HIGH = {8: float.fromhex("0x1.62e42fefp-1"), 4: float.fromhex("0x1.63p-1")}
LN2_LOW = {8: float.fromhex("0x1.473de6af278edp-34"), 4: float.fromhex("-0x1.bd0105c610ca8p-13")}
DEGREE = {8: 13, 4: 7}
LOWEST = {8: -700.0, 4: -86.0}  # below it e^z is subnormal: XLA flushes it to 0


def exp(z: Tensor) -> Tensor:
    """Compute e^z for z ≤ 0, with operations that every framework rounds correctly, in this order."""
    size = z.itemsize
    z = torch.clamp(z, min=LOWEST[size])
    k = torch.round(z * (1.0 / math.log(2.0)))
    r = z - k * LN2_HIGH[size] - k * LN2_LOW[size]  # |r| < ln 2 / 2
    series = torch.full_like(r, 1.0 / math.factorial(DEGREE[size]))
    for n in reversed(range(DEGREE[size])):
        series = series * r + 1.0 / math.factorial(n)
    return series * torch.exp2(k)  # exp2 of an integer is exact


class Sigmoid(Function):
    """1 / (1 + e^-z), and its derivative a (1 - a)."""

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        """Compute the activation."""
        e = exp(-torch.abs(z))
        a = torch.where(z >= 0.0, torch.ones_like(e), e) / (1.0 + e)
        ctx.save_for_backward(a)
        return a

    @staticmethod
    def backward(ctx: Any, d_a: Tensor) -> Tensor:
        """Compute ∂L/∂z."""
        (a,) = ctx.saved_tensors
        return d_a * (a * (1.0 - a))


def tree_sum(terms: Tensor) -> Tensor:
    """Sum over the first axis: the first half is added to the second, until one term is left."""
    while len(terms) > 1:
        half = len(terms) // 2
        terms = torch.cat([terms[:half] + terms[half : 2 * half], terms[2 * half :]])
    return terms[0]


def product(a: Tensor, weight: Tensor) -> Tensor:
    """Compute `a @ weight`, each sum as a tree."""
    return tree_sum(a.T[:, :, None] * weight[:, None, :])


class _Product(Function):
    """The function `product`. Its derivatives sum as trees, too; autograd would sum in torch's order."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, weight: Tensor) -> Tensor:
        """Compute the product."""
        ctx.save_for_backward(a, weight)
        return product(a, weight)

    @staticmethod
    def backward(ctx: Any, d_z: Tensor) -> tuple[Tensor, Tensor]:
        """Compute ∂L/∂a and ∂L/∂W."""
        a, weight = ctx.saved_tensors
        return product(d_z, weight.T), product(a.T, d_z)


def mse(predictions: Tensor, targets: Tensor) -> Tensor:
    """Compute the mean of the squared differences, its sum as a tree."""
    errors = predictions - targets
    return tree_sum((errors**2).flatten()) * (1.0 / errors.numel())


def train(
    alike: Collection[str],
    network: Network,
    params: Params,
    inputs: Batch,
    targets: Batch,
    schedule: Schedule,
) -> tuple[Float64[np.ndarray, " epochs"], list[Float[np.ndarray, "points fan_in fan_out"]]]:
    """Return the losses before each update, and each layer's weights before each update and after the last.

    `alike` names the causes to remove: "sigmoid", "order" (of sums), "fused" (multiply-adds).
    """
    model = Model(network, params)
    tree: Any = _Product.apply
    own_sigmoid: Any = Sigmoid.apply if "sigmoid" in alike else torch.sigmoid
    loss_of = mse if "order" in alike else own.mse
    optimizer = torch.optim.SGD(model.parameters(), schedule.learning_rate)
    x, y = torch.tensor(inputs), torch.tensor(targets)
    losses, points = [], [model.to_params()]

    for _ in range(schedule.epochs):
        a = x
        for layer in model.layers:
            z = tree(a, layer.weight.T) if "order" in alike else layer(a)
            a = own_sigmoid(z)
        loss = loss_of(a, y)
        optimizer.zero_grad()
        loss.backward()
        if "fused" in alike:
            with torch.no_grad():
                for weight in model.parameters():
                    weight.sub_(schedule.learning_rate * weight.grad)
        else:
            optimizer.step()  # add_(grad, alpha=-rate): product and sum are rounded once
        losses.append(loss.item())
        points.append(model.to_params())
    return np.array(losses), [
        np.stack([w for w, _ in course]) for course in zip(*points, strict=True)
    ]
