"""Programs, in the usual formulas, of the outputs and losses that the contract does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradparity.contract import Dense, Layer, Loss, Network, Schedule
from gradparity.reference.step import StepValues
from gradparity.reference.vocabulary import (
    BINARY_CROSS_ENTROPY_OF_PROBABILITIES as BINARY,
)
from gradparity.reference.vocabulary import CROSS_ENTROPY_OF_PROBABILITIES as CROSS_ENTROPY
from gradparity.reference.vocabulary import SOFTMAX
from gradparity.verdict.case import Case

Array = np.ndarray

OBJECTIVES: tuple[tuple[Any, Loss], ...] = (
    (SOFTMAX, "mse"),
    ("sigmoid", BINARY),
    (SOFTMAX, CROSS_ENTROPY),
    (SOFTMAX, BINARY),
    ("sigmoid", CROSS_ENTROPY),
)
"""Activation of the output layer, and loss."""


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def softplus(z: Array) -> Array:
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def shifted(z: Array) -> Array:
    exp = np.exp(z - z.max(1, keepdims=True))
    return exp / exp.sum(1, keepdims=True)


def as_it_is(z: Array) -> Array:
    exp = np.exp(z)
    return exp / exp.sum(1, keepdims=True)


def log_softmax(z: Array) -> Array:
    z = z - z.max(1, keepdims=True)
    return z - np.log(np.exp(z).sum(1, keepdims=True))


def matrix(s: Array) -> Array:
    """∂s_i/∂z_j, entry by entry."""
    jacobian = -s[:, None] * s[None, :]
    np.fill_diagonal(jacobian, s * (1 - s))
    return jacobian


# Each takes (s, d) and returns ∂L/∂z of softmax.
SOFTMAX_PRIMES: tuple[Callable[[Array, Array], Array], ...] = (
    lambda s, d: s * (d - (s * d).sum(1, keepdims=True)),
    lambda s, d: s * d - s * (s * d).sum(1, keepdims=True),
    lambda s, d: np.stack([(np.diag(p) - np.outer(p, p)) @ g for p, g in zip(s, d, strict=True)]),
    lambda s, d: np.stack([matrix(p) @ g for p, g in zip(s, d, strict=True)]),
)  # fmt: skip

SIGMOID_PRIMES: tuple[Callable[[Array, Array], Array], ...] = (
    lambda a, d: d * a * (1 - a),
    lambda a, d: d * (a * (1 - a)),
)

# Each takes (a, y) and returns ∂L/∂a.
D_A: dict[Loss, tuple[Callable[[Array, Array], Array], ...]] = {
    "mse": (lambda a, y: 2 * (a - y) / a.size,),
    BINARY: (
        lambda p, y: (p - y) / (p * (1 - p)) / p.size,
        lambda p, y: -(y / p - (1 - y) / (1 - p)) / p.size,
        lambda p, y: -1 / p.size * (y / p) + 1 / p.size * ((1 - y) / (1 - p)),
    ),
    CROSS_ENTROPY: (lambda p, y: -y / p / len(p), lambda p, y: -(y / len(p)) / p),
}

# Each takes (z, a, y) and returns ∂L/∂z at once.
DIRECT: dict[tuple[Any, Loss], tuple[Callable[[Array, Array, Array], Array], ...]] = {
    ("sigmoid", BINARY): (
        lambda z, p, y: (p - y) / p.size,
        # As the derivative of a logarithm of a sum of exponentials comes out.
        lambda z, p, y: (np.exp(z - softplus(z)) - y) / p.size,
    ),
    (SOFTMAX, CROSS_ENTROPY): (
        lambda z, p, y: (p * y.sum(1, keepdims=True) - y) / len(p),
        lambda z, p, y: (np.exp(log_softmax(z)) * y.sum(1, keepdims=True) - y) / len(p),
    ),
    ("sigmoid", CROSS_ENTROPY): (lambda z, p, y: -y * (1 - p) / len(p),),
}

# Each takes (z, a, y).
LOSSES: dict[tuple[Any, Loss], tuple[Callable[[Array, Array, Array], Any], ...]] = {
    **{
        (output, "mse"): (lambda z, a, y: np.mean((a - y) ** 2),) for output in ("sigmoid", SOFTMAX)
    },
    ("sigmoid", BINARY): (
        lambda z, p, y: -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)),
        lambda z, p, y: -(np.mean(y * np.log(p)) + np.mean((1 - y) * np.log1p(-p))),
        lambda z, p, y: np.mean(softplus(z) - y * z),
        lambda z, p, y: np.mean(y * softplus(-z) + (1 - y) * softplus(z)),
        lambda z, p, y: -np.log(p**y * (1 - p) ** (1 - y)).mean(),
    ),
    (SOFTMAX, BINARY): (lambda z, p, y: -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)),),
    (SOFTMAX, CROSS_ENTROPY): (
        lambda z, p, y: -np.sum(y * np.log(p)) / len(p),
        lambda z, p, y: -np.mean(np.sum(y * log_softmax(z), axis=1)),
    ),
    ("sigmoid", CROSS_ENTROPY): (lambda z, p, y: -np.sum(y * np.log(p)) / len(p),),
}


@dataclass(frozen=True)
class Program:
    """One choice of formulas. `scale` multiplies ∂L/∂z of the output layer: a planted fault, if it is not 1."""

    activate: Callable[[Array], Array]
    loss: Callable[[Array, Array, Array], Any]
    delta: Callable[[Array, Array, Array], Array]

    def run(self, case: Case, scale: float = 1.0) -> StepValues:
        """Activations, loss and gradients of the case, in its dtype. All hidden layers are sigmoids."""
        inputs, targets = case.batch
        a = [inputs]
        for weight, bias in case.params:
            z = a[-1] @ weight
            z = z if bias is None else z + bias
            a.append(self.activate(z) if len(a) == len(case.params) else sigmoid(z))
        loss = self.loss(z, a[-1], targets)
        delta = self.delta(z, a[-1], targets) * case.dtype.type(scale)
        grads: list[Layer] = []
        for k in reversed(range(len(case.params))):
            weight, bias = case.params[k]
            grads.insert(0, Layer(a[k].T @ delta, None if bias is None else delta.sum(0)))
            if k:
                delta = delta @ weight.T * a[k] * (1 - a[k])
        return StepValues(a[1:], loss, tuple(grads))


def _chained(
    d_a: Callable[[Array, Array], Array], prime: Callable[[Array, Array], Array]
) -> Callable[[Array, Array, Array], Array]:
    return lambda _z, a, y: prime(a, d_a(a, y))


def programs(output: Any, loss: Loss) -> Iterator[Program]:
    """Every choice of the formulas above; loss and activation go through their formulas in turn."""
    activations = (shifted, as_it_is) if output == SOFTMAX else (sigmoid,)
    primes = SOFTMAX_PRIMES if output == SOFTMAX else SIGMOID_PRIMES
    deltas = [
        *DIRECT.get((output, loss), ()),
        *(_chained(d_a, prime) for d_a in D_A[loss] for prime in primes),
    ]
    losses = LOSSES[output, loss]
    for at in range(max(len(deltas), len(losses))):
        yield Program(
            activations[at % len(activations)], losses[at % len(losses)], deltas[at % len(deltas)]
        )


TARGETS: dict[str, Callable[[Any, tuple[int, int]], Array]] = {
    "between 0 and 1": lambda rng, shape: rng.uniform(0, 1, shape),
    "0 and 1": lambda rng, shape: rng.integers(0, 2, shape),
    "one class each": lambda rng, shape: np.eye(shape[1])[rng.integers(0, shape[1], shape[0])],
    "distributions": lambda rng, shape: rng.dirichlet(np.ones(shape[1]), shape[0]),
}


def draw(rng: np.random.Generator, output: Any, loss: Loss, dtype: str, scale: float) -> Case:
    """A random network with this output and loss, its weights `scale` times standard normal."""
    widths = [int(n) for n in rng.integers(1, 13, int(rng.integers(1, 4)) + 1)]
    dense = [Dense(n, bias=bool(rng.random() < 0.5)) for n in widths[1:]]
    dense[-1] = Dense(widths[-1], output, dense[-1].bias)
    network = Network((widths[0],), tuple(dense), loss)
    params = tuple(
        Layer(
            (scale * rng.standard_normal(shape)).astype(dtype),
            (scale * rng.standard_normal(shape[1])).astype(dtype) if layer.bias else None,
        )
        for shape, layer in zip(network.weight_shapes, dense, strict=True)
    )
    samples = int(rng.integers(1, 30))
    targets = TARGETS[str(rng.choice(list(TARGETS)))](rng, (samples, widths[-1]))
    return Case(
        network,
        params,
        rng.uniform(-1, 1, (samples, widths[0])).astype(dtype),
        targets.astype(dtype),
        Schedule(0.1, 1),
    )
