"""The extended suite, beyond sigmoid, MSE and plain SGD: further activations, losses, optimizers and convolutions.

As in the core suite, each configuration is small, fixed, and chosen to distinguish mistakes: no two dimensions of a
layer are equal, so that a swapped layout shows; no weight or state is zero, except to reach a kink exactly; the last
batch is ragged. `tests/test_extended_suite.py` checks this.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ..contract import (
    LOSS_KINDS,
    SGD,
    Adam,
    Batch,
    Conv,
    Dense,
    Layer,
    Network,
    Optimizer,
    Params,
    RMSProp,
    Schedule,
    map_params,
)
from ..experiments.initial import batch_order, initial_params
from ..verdict.case import CONSECUTIVE, Case
from .random_networks import OPTIMIZERS

_EPOCHS = 4
_PLAIN = SGD()


@dataclass(frozen=True)
class ExtendedConfiguration:
    """One configuration.

    Attributes:
        name: the feature that it tests; its random numbers are seeded by it.
        network: the layers and the loss.
        samples: the number of samples in the data.
        batch_size: the samples in a batch; the last batch is ragged.
        update: the number of the update that is judged; the next one is judged as well.
        optimizer: the optimizer with its hyperparameters.
        decay: λ of the weight decay.
        decoupled: True if the weight decay is decoupled.
        fresh: True if the optimizer's arrays are zero before the update.
        kink: True if the first unit's weights in the first layer are zero, so that its z is exactly 0.
        spread: True if the targets of a cross-entropy are distributions over all classes, not single classes.
        learning_rate: the learning rate.
        size: the largest input.
    """

    name: str
    network: Network
    samples: int
    batch_size: int
    update: int = 1
    optimizer: Optimizer = _PLAIN
    decay: float = 0.0
    decoupled: bool = False
    fresh: bool = False
    kink: bool = False
    spread: bool = False
    learning_rate: float = 0.07
    size: float = 1.0

    def __str__(self) -> str:
        return f"{self.name}: {self.network}"

    def case(self, dtype: str, seed: int = 0) -> Case:
        """Draw weights, data, state and order."""
        rng = np.random.default_rng([seed, self.samples, *map(ord, self.name)])
        params = self._params(rng)
        per_epoch = -(-self.samples // self.batch_size)
        epochs = max(_EPOCHS, -(-(self.update + CONSECUTIVE) // per_epoch))
        schedule = Schedule(
            learning_rate=self.learning_rate,
            epochs=epochs,
            batch_size=self.batch_size,
            order=batch_order(self.samples, epochs, seed),
            optimizer=self.optimizer,
            weight_decay=self.decay,
            decoupled=self.decoupled,
        )
        state = {} if self.fresh else _state(rng, schedule, params)
        inputs = self.size * rng.uniform(-1, 1, (self.samples, *self.network.input_shape))
        targets = self._targets(rng)
        case = Case(self.network, params, inputs, targets, schedule, self.update, state=state)
        return case.astype(dtype)

    def _params(self, rng: np.random.Generator) -> Params:
        seed = int(rng.integers(2**32))
        drawn = initial_params(self.network, "standard_normal", seed, "float64")
        params = [
            Layer(1.5 * weight / np.sqrt(prod(weight.shape[:-1])), bias) for weight, bias in drawn
        ]
        if self.kink:
            params[0].weight[..., 0] = 0.0
        return tuple(params)

    def _targets(self, rng: np.random.Generator) -> Batch:
        targets = rng.uniform(0.05, 0.95, (self.samples, self.network.shapes[-1][0]))
        if LOSS_KINDS[self.network.loss].link != "softmax":
            return targets
        if self.spread:
            return targets / targets.sum(axis=1, keepdims=True)
        return np.eye(targets.shape[1])[np.argmax(targets, axis=1)]


def _state(rng: np.random.Generator, schedule: Schedule, params: Params) -> dict[str, Params]:
    """Draw a state of about the size of the gradients, so that neither hides the other."""

    def array(name: str) -> Params:
        def of(tensor: np.ndarray) -> np.ndarray:
            values = 0.1 * rng.uniform(0.5, 1.5, tensor.shape) * rng.choice([-1, 1], tensor.shape)
            return values if name in ("velocity", "first_moment") else values**2

        return map_params(of, params)

    return {name: array(name) for name in schedule.optimizer.arrays}


def _dense(*layers: tuple[int, str] | tuple[int, str, bool]) -> tuple[Dense, ...]:
    return tuple(Dense(*layer) for layer in layers)


_ACTIVATIONS = (
    ExtendedConfiguration(
        "ReLU, the kink met",
        Network((3,), _dense((5, "relu", False), (4, "relu"), (2, "identity"))),
        samples=13,
        batch_size=5,
        kink=True,
    ),
    ExtendedConfiguration(
        "leaky ReLU, the kink met",
        Network((4,), _dense((6, "leaky_relu", False), (5, "leaky_relu"), (3, "identity"))),
        samples=11,
        batch_size=8,
        kink=True,
    ),
    ExtendedConfiguration(
        "tanh",
        Network((3,), _dense((5, "tanh"), (4, "tanh", False), (2, "tanh"))),
        samples=17,
        batch_size=7,
    ),
    ExtendedConfiguration(
        "identity",
        Network((5,), _dense((4, "identity"), (3, "identity"))),
        samples=9,
        batch_size=7,
    ),
    ExtendedConfiguration(
        "each layer another activation",
        Network(
            (4,), _dense((7, "relu"), (6, "tanh"), (5, "leaky_relu"), (3, "sigmoid"), (2, "tanh"))
        ),
        samples=16,
        batch_size=9,
    ),
)

_LOSSES = (
    ExtendedConfiguration(
        "binary cross-entropy",
        Network((3,), _dense((5, "tanh"), (4, "identity")), "binary_cross_entropy"),
        samples=17,
        batch_size=7,
    ),
    ExtendedConfiguration(
        "binary cross-entropy of one output",
        Network((4,), _dense((5, "sigmoid"), (1, "identity")), "binary_cross_entropy"),
        samples=13,
        batch_size=10,
    ),
    ExtendedConfiguration(
        "softmax cross-entropy of classes",
        Network((4,), _dense((6, "tanh"), (3, "identity")), "softmax_cross_entropy"),
        samples=19,
        batch_size=11,
    ),
    ExtendedConfiguration(
        "softmax cross-entropy of distributions",
        Network((3,), _dense((4, "relu"), (5, "identity")), "softmax_cross_entropy"),
        samples=15,
        batch_size=8,
        spread=True,
    ),
)

_OPTIMIZERS: dict[str, Optimizer] = {
    **OPTIMIZERS,
    "Nesterov": SGD(momentum=0.8, nesterov=True),
    "RMSProp": RMSProp(decay=0.9),
    "Adam": Adam(beta2=0.99),
}
"""Every optimizer, some with other hyperparameters: no two averages decay at the same rate."""


def _optimized(name: str, number: int) -> Iterator[ExtendedConfiguration]:
    """Yield the first update, a later one, and later ones with weight decay, coupled and decoupled."""
    network = Network((3,), _dense((4, "tanh"), (2, "sigmoid")))
    samples = 15 + number + number // 6  # never a multiple of the batch size
    common = ExtendedConfiguration(
        name, network, samples, batch_size=7, optimizer=_OPTIMIZERS[name], fresh=True
    )
    if name != "SGD":
        yield replace(common, name=f"{name}, the first update", update=0)
        yield replace(common, update=4 + number % 2, fresh=False)
    yield replace(
        common, name=f"{name}, coupled weight decay", update=3, decay=0.3, fresh=name == "SGD"
    )
    yield replace(
        common,
        name=f"{name}, decoupled weight decay",
        update=2,
        decay=0.2,
        decoupled=True,
        fresh=False,
    )


_CONVOLUTIONS = (
    ExtendedConfiguration(
        "convolution, padded",
        Network((6, 4, 2), (Conv(3, (3, 2), 1, 1, "tanh"), *_dense((2, "sigmoid")))),
        samples=6,
        batch_size=5,
    ),
    ExtendedConfiguration(
        "convolution with a stride",
        Network((6, 9, 2), (Conv(3, (3, 2), 2, 0, "sigmoid", False), *_dense((4, "identity")))),
        samples=8,
        batch_size=5,
    ),
    ExtendedConfiguration(
        "convolution upon convolution, padded, with a stride",
        Network(
            (6, 8, 2),
            (
                Conv(4, (2, 3), 1, 1, "tanh"),
                Conv(3, (3, 2), 2, 1, "leaky_relu"),
                *_dense((5, "tanh"), (2, "identity")),
            ),
        ),
        samples=7,
        batch_size=4,
    ),
    ExtendedConfiguration(
        "convolution, the kink met, by Adam, for a softmax",
        Network(
            (7, 5, 3),
            (
                Conv(2, (2, 3), 1, 0, "relu", False),
                Conv(4, (3, 1), 1, 1, "relu"),
                *_dense((3, "identity")),
            ),
            "softmax_cross_entropy",
        ),
        samples=9,
        batch_size=5,
        optimizer=Adam(beta2=0.99),
        decay=0.1,
        decoupled=True,
        kink=True,
    ),
)

EXTENDED_SUITE = (
    *_ACTIVATIONS,
    *_LOSSES,
    *(one for number, name in enumerate(_OPTIMIZERS) for one in _optimized(name, number)),
    *_CONVOLUTIONS,
)


def extended_suite(dtype: str, seed: int = 0) -> Iterator[tuple[str, Case]]:
    """Yield every configuration by name, each with the draw of this seed."""
    for configuration in EXTENDED_SUITE:
        yield str(configuration), configuration.case(dtype, seed)
