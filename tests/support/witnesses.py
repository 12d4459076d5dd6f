"""Cases under which the conditions of the narrow faults hold: unusual widths, sizes, data, rates and plans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from gradparity.check.target import Limits
from gradparity.contract import (
    SGD,
    Adagrad,
    Adam,
    Conv,
    Dense,
    Network,
    Optimizer,
    RMSProp,
    Schedule,
    map_params,
)
from gradparity.experiments.initial import initial_params
from gradparity.suites.core import Configuration
from gradparity.suites.extended import extended_suite
from gradparity.verdict.case import Case


@dataclass(frozen=True)
class Witness:
    """A network, its data and its plan.

    `weights` and `inputs` are factors on the drawn ones. `data`: drawn, or "zeros" (some inputs), "labels",
    "all zero" (targets), "positive", "outside", "far", "learned" (all targets are one half), "equal" (all weights).
    `keep` False: nothing is kept.
    """

    widths: tuple[int, ...]
    samples: int = 23
    batch: int | None = None
    biases: bool = True
    weights: float = 1.0
    inputs: float = 1.0
    data: str = "drawn"
    rate: float = 0.7
    epochs: int = 3
    dtype: str = "float64"
    keep: bool = True

    def case(self) -> Case:
        """Draw it."""
        configuration = Configuration(self.widths, (self.biases,), self.samples, self.batch)
        case = configuration.case(self.dtype, 0, self.rate, self.epochs)
        x, y = case.inputs * case.dtype.type(self.inputs), case.targets
        params = map_params(lambda w: w * w.dtype.type(self.weights), case.params)
        if self.data == "zeros":
            x[::3], x[1::3, 0] = 0, 0
        elif self.data == "labels":
            y = np.round(y)
        elif self.data == "all zero":
            y = 0 * y
        elif self.data == "positive":
            x = np.abs(x)
        elif self.data == "outside":
            y = 3 * y - 1
        elif self.data == "far":
            y = y + 20
        elif self.data == "equal":
            params = map_params(lambda w: 0 * w + w.dtype.type(0.5), params)
        elif self.data == "learned":
            y = y * 0 + case.dtype.type(0.5)
        updates = case.schedule.updates
        keep = tuple(range(0, updates + 1)) if self.keep else ()
        return replace(
            case, params=params, inputs=x, targets=y, schedule=replace(case.schedule, keep=keep)
        )


_ALL = (
    Witness((3, 8, 4, 9, 2)),
    Witness((4, 9, 16, 3), 64, 16),
    Witness((2, 4, 4, 1), 100, None, biases=False),
    Witness((1, 7, 7, 1, 2, 2), 70, 7),
    Witness((3, 40, 70, 12), 30),
    Witness((2, 3, 3, 3, 3, 3, 3, 3, 2), 5),
    Witness((2, 3, 2), 1),
    Witness((2, 3, 2), 2),
    Witness((3, 6, 2), 13, 5, weights=8, inputs=20),
    Witness((3, 6, 2), 13, 5, weights=2, inputs=5),
    Witness((3, 6, 2), 23, data="zeros"),
    Witness((3, 6, 2), 23, data="labels"),
    Witness((3, 6, 2), 23, data="all zero"),
    Witness((3, 6, 2), 23, data="positive"),
    Witness((3, 6, 2), 23, data="outside"),
    Witness((3, 6, 2), 23, data="equal"),
    Witness((3, 2, 2, 4), 1, weights=3, data="far"),
    Witness((3, 6, 2), 23, data="learned", epochs=40),
    Witness((3, 6, 2), 10, 1),
    Witness((3, 6, 2), 10, 9),
    Witness((3, 6, 2), 10, 7),
    Witness((3, 6, 2), 10, 2),
    Witness((3, 6, 2), 10, 5),
    Witness((3, 6, 2), 10, rate=0.03),
    Witness((3, 6, 2), 10, rate=0.001, weights=0.01, data="learned"),
    Witness((3, 6, 2), 10, rate=3.0),
    Witness((3, 6, 2), 10, 7, keep=False, epochs=45),
    Witness((3, 6, 2), 10, 7, epochs=120),
    Witness((3, 6, 2), 8, epochs=1100),
    Witness((3, 6, 2), 23, dtype="float32"),
    Witness((2, 4, 4, 1), 21, biases=False, data="labels", rate=30.0, epochs=400),
)


def _longer(case: Case, epochs: int = 9) -> Case:
    """Return the same case with more epochs, each in the order of the first."""
    order = case.schedule.order
    assert order is not None
    schedule = replace(case.schedule, epochs=epochs, order=np.repeat(order[:1], epochs, axis=0))
    return replace(case, schedule=replace(schedule, keep=(schedule.updates,)))


def _wild(case: Case) -> Case:
    """Return the same case with weights far from zero, other hyperparameters and much weight decay."""
    others: dict[type, Optimizer] = {
        SGD: SGD(0.95, True) if case.schedule.optimizer.arrays else SGD(),
        Adagrad: Adagrad(1e-3),
        RMSProp: RMSProp(0.6, 1e-2),
        Adam: Adam(0.6, 0.9, 1e-2),
    }
    optimizer = others[type(case.schedule.optimizer)]
    decay = 2 * case.schedule.weight_decay
    schedule = replace(case.schedule, optimizer=optimizer, weight_decay=decay)
    params = map_params(lambda w: 9 * w, case.params)
    return replace(case, params=params, schedule=schedule)


def _convolutional(*layers: Conv, image: tuple[int, int, int], classes: int = 3) -> Case:
    """Draw a network of convolutions, a dense layer on top, with a loss of classes."""
    network = Network(image, (*layers, Dense(classes, "identity")), "softmax_cross_entropy")
    rng = np.random.default_rng(3)
    inputs = rng.uniform(-1, 1, (7, *image))
    targets = np.eye(classes)[rng.integers(0, classes, 7)]
    params = initial_params(network, "standard_normal", 1, "float64")
    return Case(network, params, inputs, targets, Schedule(0.1, 2))


def _wide(optimizer: Optimizer) -> Case:
    """Draw a wide network with one output, trained with weight decay."""
    network = Network((3,), (Dense(40, "tanh"), Dense(1)))
    rng = np.random.default_rng(4)
    params = initial_params(network, "standard_normal", 1, "float64")
    schedule = Schedule(0.1, 4, optimizer=optimizer, weight_decay=0.1)
    return Case(network, params, rng.uniform(-1, 1, (9, 3)), rng.uniform(0, 1, (9, 1)), schedule)


def _convolutions() -> Iterator[Case]:
    yield _convolutional(Conv(3, (2, 2)), Conv(2, (1, 1)), Conv(8, (1, 1)), image=(5, 5, 1))
    yield _convolutional(Conv(2, (3, 3), 1, 2), Conv(1, (3, 3), 3, 2), image=(6, 7, 2), classes=7)
    yield _convolutional(Conv(1, (5, 5)), Conv(2, (2, 2)), image=(7, 7, 1), classes=2)
    yield _convolutional(Conv(2, (4, 4)), image=(4, 4, 2))


def witnesses(limits: Limits) -> Iterator[Case]:
    """Yield all cases, or those with the only widths that the target has; then those of the extended suite."""
    for witness in _ALL:
        widths = limits.widths or witness.widths
        biases = witness.biases if limits.biases is None else limits.biases[0]
        yield replace(witness, widths=widths, biases=biases).case()
    if limits.widths is None:
        for _, case in extended_suite("float64"):
            yield case
            yield _longer(case)
            yield _longer(_wild(case))
        yield from (_wide(optimizer) for optimizer in (SGD(0.9), Adam()))
        yield from _convolutions()
