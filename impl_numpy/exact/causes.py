"""The causes of different last digits: each can be NumPy's own arithmetic, or one that every framework shares.

This works only for networks like those of the core experiments: sigmoid layers without biases, the MSE, and plain
gradient descent on the full batch.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
from jaxtyping import Float, Float64

from gradparity.contract import Batch, Layer, Network, Params, Schedule, map_params

from .. import losses as own
from ..activations import ACTIVATIONS

# ln 2 in two parts: the first has so few digits that its product with a small integer is exact.
LN2_HIGH = {"float64": float.fromhex("0x1.62e42fefp-1"), "float32": float.fromhex("0x1.63p-1")}
LN2_LOW = {
    "float64": float.fromhex("0x1.473de6af278edp-34"),
    "float32": float.fromhex("-0x1.bd0105c610ca8p-13"),
}
DEGREE = {"float64": 13, "float32": 7}
LOWEST = {"float64": -700.0, "float32": -86.0}  # below it e^z is subnormal: XLA flushes it to 0


def exp(z: Batch) -> Batch:
    """Compute e^z for z ≤ 0, with operations that every framework rounds correctly, in this order."""
    dtype = z.dtype.name
    z = np.maximum(z, LOWEST[dtype])
    k = np.rint(z * (1.0 / math.log(2.0)))
    r = z - k * LN2_HIGH[dtype] - k * LN2_LOW[dtype]  # |r| < ln 2 / 2
    series = np.full_like(r, 1.0 / math.factorial(DEGREE[dtype]))
    for n in reversed(range(DEGREE[dtype])):
        series = series * r + 1.0 / math.factorial(n)
    return np.ldexp(series, k.astype(np.int32))


def sigmoid(z: Batch) -> Batch:
    """Compute 1 / (1 + e^-z)."""
    e = exp(-np.abs(z))
    return np.where(z >= 0.0, np.ones_like(e), e) / (1.0 + e)


def tree_sum(terms: Float[np.ndarray, "terms ..."]) -> Float[np.ndarray, ...]:
    """Sum over the first axis: the first half is added to the second, until one term is left."""
    while len(terms) > 1:
        half = len(terms) // 2
        terms = np.concatenate([terms[:half] + terms[half : 2 * half], terms[2 * half :]])
    return terms[0]


def product(a: Batch, weight: Float[np.ndarray, "fan_in fan_out"]) -> Batch:
    """Compute `a @ weight`, each sum as a tree."""
    return tree_sum(a.T[:, :, None] * weight[:, None, :])


def mse(predictions: Batch, targets: Batch) -> np.floating:
    """Compute the mean of the squared differences, its sum as a tree."""
    errors = predictions - targets
    return tree_sum((errors**2).ravel()) * (1.0 / errors.size)


def value_and_grad(
    alike: Collection[str], params: Params, inputs: Batch, targets: Batch
) -> tuple[own.Scalar, Params]:
    """Compute the loss and its gradient in the arithmetic that `alike` selects."""
    function = sigmoid if "sigmoid" in alike else ACTIVATIONS["sigmoid"].function
    matmul = product if "order" in alike else np.matmul
    activations = [inputs]
    for weight, _ in params:
        z = matmul(activations[-1], weight)  # z
        activations.append(function(z))  # a

    if "order" in alike:
        loss: own.Scalar = mse(activations[-1], targets)  # L
        d_a = (1.0 / targets.size) * (2.0 * (activations[-1] - targets))  # dL/da
    else:
        loss, d_a = own.mse(activations[-1], targets)  # L, dL/da

    grads: list[Layer] = []
    for k in reversed(range(len(params))):
        d_z = d_a * (activations[k + 1] * (1.0 - activations[k + 1]))  # dL/dz
        grads.insert(0, Layer(matmul(activations[k].T, d_z), None))  # dL/dW
        if k > 0:
            d_a = matmul(d_z, params[k].weight.T)  # dL/da of the layer below
    return loss, tuple(grads)


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
    params = map_params(np.copy, params)
    losses, weights = [], [[weight.copy()] for weight, _ in params]
    for _ in range(schedule.epochs):
        loss, grads = value_and_grad(alike, params, inputs, targets)
        losses.append(float(loss))
        for layer, (grad, _), course in zip(params, grads, weights, strict=True):
            layer.weight[:] -= schedule.learning_rate * grad  # two operations: NumPy fuses nothing
            course.append(layer.weight.copy())
    return np.array(losses), [np.array(course) for course in weights]
