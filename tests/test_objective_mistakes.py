"""Mistakes under softmax and under losses of probabilities, planted into programs in plain NumPy, are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from gradparity.contract import Activation, Dense, Layer, Loss, Network, Schedule
from gradparity.diagnosis.diagnose import Diagnosis, diagnose
from gradparity.diagnosis.mistakes import UNIT
from gradparity.reference.vocabulary import (
    BINARY_CROSS_ENTROPY_OF_PROBABILITIES as BINARY,
)
from gradparity.reference.vocabulary import CROSS_ENTROPY_OF_PROBABILITIES as CROSS_ENTROPY
from gradparity.reference.vocabulary import SOFTMAX
from gradparity.verdict.case import Case
from gradparity.verdict.observation import Observation

from .support.objectives import Array, Program, programs

Formula = Callable[[Array, Array, Array], Any]
SIGMOID: Activation = "sigmoid"
MSE: Loss = "mse"


def cases(output: Any, loss: Loss) -> Iterator[Case]:
    """Six networks; the first four have targets between 0 and 1, the last two of single classes."""
    rng = np.random.default_rng(8)
    for at, (widths, samples) in enumerate(
        [
            ((3, 5, 4), 9),
            ((2, 4, 4, 3), 5),
            ((4, 3), 7),
            ((3, 4, 2), 4),
            ((3, 5, 4), 6),
            ((2, 3), 8),
        ]
    ):
        layers = [Dense(n) for n in widths[1:-1]]
        network = Network((widths[0],), (*layers, Dense(widths[-1], output)), loss)
        params = tuple(
            Layer(rng.standard_normal(shape), rng.standard_normal(shape[1]))
            for shape in network.weight_shapes
        )
        inputs = rng.uniform(-1, 1, (samples, widths[0]))
        targets = rng.uniform(0.05, 0.95, (samples, widths[-1]))
        if output == SOFTMAX:
            targets /= targets.sum(1, keepdims=True)
        if at >= 4:
            targets = np.eye(widths[-1])[rng.integers(0, widths[-1], samples)]
        yield Case(network, params, inputs, targets, Schedule(0.1, 1))


def diagnosed(output: Any, loss: Loss, program: Program, *, classes: bool = True) -> Diagnosis:
    found = list(cases(output, loss))[: None if classes else 4]
    return diagnose([Observation(case, program.run(case)) for case in found], program.run)


@dataclass(frozen=True)
class Plant:
    """A mistake: the name it must get, and ∂L/∂z, the loss or the activation with the mistake."""

    name: str
    output: Any
    kind: Loss
    delta: Formula | None = None
    loss: Formula | None = None
    activate: Callable[[Array], Array] | None = None
    classes: bool = True

    def __str__(self) -> str:
        return f"{self.name} ({self.output}, {self.kind})"

    @property
    def program(self) -> Program:
        right = next(programs(self.output, self.kind))
        return replace(
            right,
            delta=self.delta or right.delta,
            loss=self.loss or right.loss,
            activate=self.activate or right.activate,
        )


def prime(s: Array, d: Array, axis: Any = 1) -> Array:
    return s * (d - (s * d).sum(axis=axis, keepdims=True))


def squares(a: Array, y: Array) -> Array:
    return 2 * (a - y) / a.size


def quotient(p: Array, y: Array) -> Array:
    return -y / p / len(p)


def chained(slope: Formula, d_a: Callable[[Array, Array], Array]) -> Formula:
    return lambda z, a, y: slope(a, d_a(a, y), z)


B = "the derivative of the binary cross-entropy"
C = "the derivative of the cross-entropy"

GRADIENTS = [
    Plant(f"the output's slope on top of p - y, which has {B} and the slope in it", SIGMOID, BINARY,
          lambda _, p, y: (p - y) * p * (1 - p) / p.size),
    Plant("the derivative of the MSE in place of the binary cross-entropy's", SIGMOID, BINARY,
          lambda _, p, y: squares(p, y) * p * (1 - p)),
    Plant("σ' is missing in the output layer", SIGMOID, BINARY,
          lambda _, p, y: (p - y) / (p * (1 - p)) / p.size),
    Plant(f"y and p are swapped in {B}", SIGMOID, BINARY,
          lambda _, p, y: (y - p) / (y * (1 - y)) * p * (1 - p) / p.size, classes=False),
    Plant(f"the second term has the wrong sign in {B}", SIGMOID, BINARY,
          lambda _, p, y: -(y / p + (1 - y) / (1 - p)) * p * (1 - p) / p.size),
    Plant(f"the second term is missing in {B}", SIGMOID, BINARY,
          lambda _, p, y: -y * (1 - p) / p.size),
    Plant(f"y and 1 - y are swapped in {B}", SIGMOID, BINARY,
          lambda _, p, y: (p - (1 - y)) / p.size),
    Plant("tanh' in place of σ' in the output layer", SIGMOID, BINARY,
          lambda _, p, y: (p - y) / (p * (1 - p)) * (1 - p * p) / p.size),
    Plant("the gradient is multiplied by N·outputs: the 1/(N·outputs) is missing: a sum for a mean", SIGMOID, BINARY,
          lambda _, p, y: p - y),
    Plant(f"the output's slope on top of p - y, which has {C} and the slope in it", SOFTMAX, CROSS_ENTROPY,
          lambda _, p, y: prime(p, (p - y) / len(p))),
    Plant("the derivative of the MSE in place of the cross-entropy's", SOFTMAX, CROSS_ENTROPY,
          lambda _, p, y: prime(p, squares(p, y))),
    Plant("the derivative of the binary cross-entropy in place of the cross-entropy's", SOFTMAX, CROSS_ENTROPY,
          lambda _, p, y: prime(p, (p - y) / (p * (1 - p)) / p.size)),
    Plant(f"y and p are swapped in {C}", SOFTMAX, CROSS_ENTROPY,
          lambda _, p, y: prime(p, -p / y / len(p)), classes=False),
    Plant("softmax' is applied twice", SOFTMAX, MSE, lambda _, p, y: prime(p, prime(p, squares(p, y)))),
    *(
        Plant(name, SOFTMAX, kind, chained(f, d))
        for kind, d in ((MSE, squares), (CROSS_ENTROPY, quotient))
        for name, f in (
            ("only the diagonal of softmax's derivative", lambda s, d, _: d * s * (1 - s)),
            ("softmax' is missing", lambda s, d, _: d),
            ("softmax' without its sum", lambda s, d, _: s * d),
            ("softmax' is its sum alone", lambda s, d, _: -s * (s * d).sum(1, keepdims=True)),
            ("softmax' sums over the samples", lambda s, d, _: prime(s, d, 0)),
            ("softmax' sums over all elements", lambda s, d, _: prime(s, d, None)),
            ("tanh' in place of softmax'", lambda s, d, _: d * (1 - s**2)),
            ("ReLU' in place of softmax'", lambda s, d, z: d * (z > 0)),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize("plant", GRADIENTS, ids=str)
def test_a_mistake_in_the_gradient(plant: Plant) -> None:
    found = diagnosed(plant.output, plant.kind, plant.program, classes=plant.classes)
    assert not found.unknown
    assert not found.forward
    simplest = [name for name in found.gradient if name.factor is UNIT] or found.gradient
    assert str(simplest[0]) == plant.name, [str(name) for name in found.gradient]


BINARY_LOSS = "the binary cross-entropy"
LOSSES = [
    Plant(f"{BINARY_LOSS} with the wrong sign in its second term: the mean of -y log p + (1 - y) log(1 - p)",
          SIGMOID, BINARY, loss=lambda _, p, y: np.mean(-y * np.log(p) + (1 - y) * np.log(1 - p))),
    Plant(f"the first term of {BINARY_LOSS} alone: the mean of -y log p",
          SIGMOID, BINARY, loss=lambda _, p, y: -np.mean(y * np.log(p))),
    Plant(f"{BINARY_LOSS} of 1 - p in place of p",
          SIGMOID, BINARY, loss=lambda _, p, y: -np.mean(y * np.log(1 - p) + (1 - y) * np.log(p))),
    Plant(f"{BINARY_LOSS} with y and p swapped", SIGMOID, BINARY, classes=False,
          loss=lambda _, p, y: -np.mean(p * np.log(y) + (1 - p) * np.log(1 - y))),
    Plant(f"{BINARY_LOSS} with logarithms of base 2",
          SIGMOID, BINARY, loss=lambda _, p, y: -np.mean(y * np.log2(p) + (1 - y) * np.log2(1 - p))),
    Plant(f"{BINARY_LOSS} with logarithms of base 10",
          SIGMOID, BINARY, loss=lambda _, p, y: -np.mean(y * np.log10(p) + (1 - y) * np.log10(1 - p))),
    Plant("the MSE", SIGMOID, BINARY, loss=lambda _, p, y: np.mean((p - y) ** 2)),
    Plant("the cross-entropy, -Σ y log p", SOFTMAX, MSE, loss=lambda _, p, y: -np.sum(y * np.log(p)) / len(p)),
    Plant(BINARY_LOSS, SOFTMAX, CROSS_ENTROPY,
          loss=lambda _, p, y: -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))),
]  # fmt: skip


@pytest.mark.parametrize("plant", LOSSES, ids=str)
def test_another_loss_is_reported(plant: Plant) -> None:
    found = diagnosed(plant.output, plant.kind, plant.program, classes=plant.classes)
    assert not found.unknown
    assert not found.gradient
    assert str(found.loss[0]) == plant.name, list(map(str, found.loss))


def over(axis: Any) -> Callable[[Array], Array]:
    def softmax(z: Array) -> Array:
        exp = np.exp(z - z.max(axis=axis, keepdims=True))
        return exp / exp.sum(axis=axis, keepdims=True)

    return softmax


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


FORWARD = [
    Plant("softmax over the samples", SOFTMAX, MSE, activate=over(0),
          delta=lambda _, s, y: prime(s, squares(s, y), 0)),
    Plant("softmax over all elements", SOFTMAX, MSE, activate=over(None),
          delta=lambda _, s, y: prime(s, squares(s, y), None)),
    Plant("softmax applied twice", SOFTMAX, MSE, activate=lambda z: over(1)(over(1)(z)),
          delta=lambda z, s, y: prime(over(1)(z), prime(s, squares(s, y)))),
    Plant("e^z without its sum in place of softmax", SOFTMAX, MSE, activate=np.exp,
          delta=lambda _, a, y: squares(a, y) * a),
    Plant("the sigmoid in place of softmax", SOFTMAX, MSE, activate=sigmoid,
          delta=lambda _, a, y: squares(a, y) * a * (1 - a)),
    Plant("no activation in place of softmax", SOFTMAX, MSE, activate=lambda z: z,
          delta=lambda _, a, y: squares(a, y)),
    Plant("softmax in place of the sigmoid", SIGMOID, MSE, activate=over(1),
          delta=lambda _, s, y: prime(s, squares(s, y))),
    Plant("softmax in place of the sigmoid, the sigmoid's derivative kept", SIGMOID, MSE, activate=over(1),
          delta=lambda _, s, y: squares(s, y) * s * (1 - s)),
]  # fmt: skip


@pytest.mark.parametrize("plant", FORWARD, ids=str)
def test_a_mistake_in_the_forward_pass(plant: Plant) -> None:
    found = diagnosed(plant.output, plant.kind, plant.program)
    assert not found.unknown
    assert found.forward[0].mistake.name == plant.name
    assert found.gradient[0].forward == found.forward[0]
    assert found.gradient[0].mistake is None


@pytest.mark.parametrize(
    ("output", "kind"), [(SIGMOID, BINARY), (SOFTMAX, CROSS_ENTROPY), (SOFTMAX, MSE)]
)
def test_what_is_right_or_unlisted_gets_no_name(output: Any, kind: Loss) -> None:
    right = next(programs(output, kind))
    found = diagnosed(output, kind, right)
    assert found == Diagnosis()

    def bent(z: Array, a: Array, y: Array) -> Array:
        return right.delta(z, a, y) * (1 + 0.2 * np.cos(np.arange(a.size)).reshape(a.shape))

    found = diagnosed(output, kind, replace(right, delta=bent))
    assert found == Diagnosis(unknown=["gradient"])
