"""The causes of different last digits: each can be JAX's own arithmetic, or one that every framework shares.

This works only for networks like those of the core experiments: sigmoid layers without biases, the MSE, and plain
gradient descent on the full batch.
XLA fuses multiply-adds if the processor can. Only a flag for the whole process prevents this.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Float, Float64

from gradparity.contract import Batch, Network, Params, Schedule

from .. import losses as own

_NOT_FUSED = "--xla_cpu_max_isa=AVX"
"""The flag in XLA_FLAGS that selects instructions of processors without fused multiply-adds."""

# ln 2 in two parts: the first has so few digits that its product with a small integer is exact.
LN2_HIGH = {"float64": float.fromhex("0x1.62e42fefp-1"), "float32": float.fromhex("0x1.63p-1")}
LN2_LOW = {
    "float64": float.fromhex("0x1.473de6af278edp-34"),
    "float32": float.fromhex("-0x1.bd0105c610ca8p-13"),
}
DEGREE = {"float64": 13, "float32": 7}
LOWEST = {"float64": -700.0, "float32": -86.0}  # below it e^z is subnormal: XLA flushes it to 0


def exp(z: Array) -> Array:
    """Compute e^z for z ≤ 0, with operations that every framework rounds correctly, in this order."""
    dtype = z.dtype.name
    z = jnp.maximum(z, LOWEST[dtype])
    k = jnp.rint(z * (1.0 / math.log(2.0)))
    r = z - k * LN2_HIGH[dtype] - k * LN2_LOW[dtype]  # |r| < ln 2 / 2
    series = jnp.full_like(r, 1.0 / math.factorial(DEGREE[dtype]))
    for n in reversed(range(DEGREE[dtype])):
        series = series * r + 1.0 / math.factorial(n)
    return jnp.ldexp(series, k.astype(jnp.int32))


@jax.custom_jvp
def sigmoid(z: Array) -> Array:
    """Compute 1 / (1 + e^-z)."""
    e = exp(-jnp.abs(z))
    return jnp.where(z >= 0.0, jnp.ones_like(e), e) / (1.0 + e)


@sigmoid.defjvp
def _sigmoid_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (z,), (d_z,) = primals, tangents
    a = sigmoid(z)
    return a, d_z * (a * (1.0 - a))


def tree_sum(terms: Array) -> Array:
    """Sum over the first axis: the first half is added to the second, until one term is left."""
    while len(terms) > 1:
        half = len(terms) // 2
        terms = jnp.concatenate([terms[:half] + terms[half : 2 * half], terms[2 * half :]])
    return terms[0]


@jax.custom_vjp
def product(a: Array, weight: Array) -> Array:
    """Compute `a @ weight`, each sum as a tree. Its derivatives sum as trees, too; JAX would sum in its own order."""
    return tree_sum(a.T[:, :, None] * weight[:, None, :])


def _product_forward(a: Array, weight: Array) -> Any:
    return product(a, weight), (a, weight)


def _product_backward(kept: Any, d_z: Array) -> tuple[Array, Array]:
    a, weight = kept
    return product(d_z, weight.T), product(a.T, d_z)


product.defvjp(_product_forward, _product_backward)


def mse(predictions: Array, targets: Array) -> Array:
    """Compute the mean of the squared differences, its sum as a tree."""
    errors = predictions - targets
    return tree_sum((errors**2).ravel()) * (1.0 / errors.size)


def _loss(alike: Collection[str], weights: list[Array], inputs: Array, targets: Array) -> Array:
    """Compute the loss as a function of the weights, in the arithmetic that `alike` selects."""
    a = inputs
    for weight in weights:
        z = product(a, weight) if "order" in alike else a @ weight
        a = sigmoid(z) if "sigmoid" in alike else jax.nn.sigmoid(z)
    return mse(a, targets) if "order" in alike else own.mse(a, targets)


@jax.jit(static_argnames=("alike", "epochs"))
def _run(
    alike: Collection[str],
    weights: list[Array],
    inputs: Array,
    targets: Array,
    rate: Array | float,
    *,
    epochs: int,
) -> Any:
    """Carry out all epochs in one scan. Return the final weights, and the losses and weights before each update."""

    def step(weights: Any, _: None) -> Any:
        value, grads = jax.value_and_grad(_loss, argnums=1)(alike, weights, inputs, targets)
        return jax.tree.map(lambda w, g: w - rate * g, weights, grads), (value, weights)

    return lax.scan(step, weights, length=epochs)


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
    if "fused" in alike and _NOT_FUSED not in os.environ.get("XLA_FLAGS", "").split():
        raise ValueError(
            f"XLA fuses multiply-adds in this process: start it with {_NOT_FUSED} in XLA_FLAGS"
        )
    rate, epochs = schedule.learning_rate, schedule.epochs
    weights = [jnp.asarray(weight) for weight, _ in params]
    final, (losses, courses) = _run(tuple(alike), weights, inputs, targets, rate, epochs=epochs)
    points = [
        np.concatenate([course, last[None]]) for course, last in zip(courses, final, strict=True)
    ]
    return np.asarray(losses, np.float64), points
