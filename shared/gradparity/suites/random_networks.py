"""Random networks and data, to test the bound on networks that nobody chose by hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from ..contract import (
    LOSS_KINDS,
    SGD,
    Activation,
    Adagrad,
    Adam,
    Batch,
    Conv,
    Dense,
    Loss,
    Network,
    Optimizer,
    Params,
    RMSProp,
    Schedule,
    map_params,
)
from ..experiments.initial import batch_order, initial_params
from ..reference.activations import ACTIVATIONS
from ..reference.passes import cast
from ..verdict.case import Case

REGIMES = {"usual": 1.0, "tiny": 1e-3, "saturated": 6.0, "huge": 300.0}
"""Factor on standard-normal weights; the last two drive most units into saturation."""

OPTIMIZERS: dict[str, Optimizer] = {
    "SGD": SGD(),
    "momentum": SGD(momentum=0.9),
    "Nesterov": SGD(momentum=0.9, nesterov=True),
    **{rule.__name__: rule() for rule in get_args(Optimizer) if rule is not SGD},
}
"""Every optimizer of the contract with its own defaults; SGD in its three forms."""

OTHER_CONSTANTS: dict[str, Optimizer] = {
    "momentum of 0.5": SGD(momentum=0.5),
    "Nesterov's of 0.3": SGD(momentum=0.3, nesterov=True),
    "Adagrad, a large epsilon": Adagrad(epsilon=1e-2),
    "RMSProp, other constants": RMSProp(decay=0.8, epsilon=1e-3),
    "Adam, other constants": Adam(beta1=0.7, beta2=0.95, epsilon=1e-2),
}
"""Every optimizer once more, with other constants."""

DECAYS = {"none": (0.0, False), "coupled": (0.03, False), "decoupled": (0.03, True)}
"""Weight decay: λ, and True if it is decoupled."""

_USUAL_SHARE = 0.55


@dataclass(frozen=True)
class Setting:
    """A network, the shape of its data and its optimizer. A framework that compiles does so once for each setting.

    Attributes:
        network: the network.
        samples: the number of samples in the data.
        batch_size: the samples in a batch; None for the full batch.
        optimizer: the optimizer's name in `OPTIMIZERS` or `OTHER_CONSTANTS`.
        decay: the weight decay's name in `DECAYS`.
    """

    network: Network
    samples: int
    batch_size: int | None
    optimizer: str = "SGD"
    decay: str = "none"

    @property
    def features(self) -> set[str]:
        """The names of its features: activations, loss, layers, optimizer, weight decay."""
        layers = self.network.layers
        return {
            *(layer.activation for layer in layers),
            *("convolution" for layer in layers if isinstance(layer, Conv)),
            self.network.loss,
            self.optimizer,
            *([] if self.decay == "none" else [f"{self.decay} weight decay"]),
        }

    def draw(self, rng: np.random.Generator, dtype: str) -> Case:
        """Draw weights, data, state and learning rate, and one step somewhere in two epochs of training."""
        others = (1 - _USUAL_SHARE) / (len(REGIMES) - 1)
        odds = [_USUAL_SHARE if name == "usual" else others for name in REGIMES]
        scale = REGIMES[rng.choice(list(REGIMES), p=odds)]
        seed = int(rng.integers(2**32))
        params = initial_params(self.network, "standard_normal", seed, "float64")
        params = cast(map_params(lambda tensor: scale * tensor, params), dtype)
        shapes = self.network.shapes
        inputs = _inputs(rng, (self.samples, *shapes[0]))
        targets = _targets(rng, (self.samples, *shapes[-1]), self.network.loss)
        epochs = 2
        weight_decay, decoupled = DECAYS[self.decay]
        schedule = Schedule(
            learning_rate=float(10 ** rng.uniform(-3, 1.5)),
            epochs=epochs,
            batch_size=self.batch_size,
            order=None if self.batch_size is None else batch_order(self.samples, epochs, seed),
            optimizer=(OPTIMIZERS | OTHER_CONSTANTS)[self.optimizer],
            weight_decay=weight_decay,
            decoupled=decoupled,
        )
        update = int(rng.integers(schedule.updates))
        if LOSS_KINDS[self.network.loss].link == "softmax":
            targets = _distribution(rng, targets)
        if any(ACTIVATIONS[layer.activation].kinked for layer in self.network.layers):
            inputs[rng.random(self.samples) < 0.2] = 0.0  # random inputs never reach a kink exactly
        return Case(
            self.network,
            params,
            inputs.astype(dtype),
            targets.astype(dtype),
            schedule,
            update=update,
            state=_state(rng, schedule, params),
        )


def _inputs(rng: np.random.Generator, shape: tuple[int, ...]) -> Batch:
    """Draw inputs of any size up to 10, and now and then with zeros, of zeros and ones, or up to 100."""
    inputs: Batch = rng.uniform(-1, 1, shape)
    match rng.choice(["any size", "zeros", "binary", "large"], p=[0.7, 0.15, 0.1, 0.05]):
        case "zeros":
            inputs[rng.random(shape) < 0.3] = 0.0
        case "binary":
            inputs = (inputs > 0) * 1.0
        case "large":
            inputs *= 100.0
        case _:
            inputs *= 10 ** rng.uniform(-2, 1)
    return inputs


def _targets(rng: np.random.Generator, shape: tuple[int, ...], loss: Loss) -> Batch:
    """Draw targets between 0 and 1, or 0 and 1 themselves; for the MSE now and then up to 1,000."""
    drawn = rng.random()
    if drawn < 0.3 and LOSS_KINDS[loss].link != "softmax":
        return rng.integers(0, 2, shape) * 1.0
    if drawn < 0.4 and loss == "mse":
        return rng.uniform(-1e3, 1e3, shape)
    return rng.uniform(0, 1, shape)


def _distribution(rng: np.random.Generator, targets: Batch) -> Batch:
    """Turn the targets into single classes or, with equal odds, into distributions over all classes."""
    if rng.random() < 0.5:
        return np.eye(targets.shape[1])[np.argmax(targets, axis=1)]
    return targets / targets.sum(axis=1, keepdims=True)


def _state(rng: np.random.Generator, schedule: Schedule, params: Params) -> dict[str, Params]:
    """Draw a state of the optimizer, or none for its start."""
    if not schedule.optimizer.arrays or rng.random() < 0.3:
        return {}
    size = 10 ** rng.uniform(-6, 1)

    def array(name: str) -> Params:
        def of(tensor: np.ndarray) -> np.ndarray:
            values = size * rng.standard_normal(tensor.shape)
            if name not in ("velocity", "first_moment"):
                values = values**2
            return values.astype(tensor.dtype)

        return map_params(of, params)

    return {name: array(name) for name in schedule.optimizer.arrays}


def random_setting(rng: np.random.Generator) -> Setting:
    """Draw a setting like the original assignment's: sigmoid, MSE and plain SGD.

    The network has one to eight layers of up to 16 units, or up to 100 if they are few, each with a bias or without.
    There are 1 to 40 samples, now and then up to 300. Full batch and mini-batches are equally likely; the last batch of
    an epoch is mostly ragged.
    """
    depth = int(rng.integers(1, 9 if rng.random() < 0.2 else 5))
    limit = 100 if rng.random() < 0.05 and depth < 5 else 16
    widths = [int(n) for n in rng.integers(1, limit + 1, depth + 1)]
    layers = tuple(Dense(units, bias=bool(rng.random() < 0.5)) for units in widths[1:])
    return Setting(Network((widths[0],), layers), *_samples(rng))


def random_setting_of_any_kind(rng: np.random.Generator) -> Setting:
    """Draw any activation for each layer, and any loss, optimizer and weight decay. A third are convolutional."""
    layers: list[Dense | Conv] = []
    shape: tuple[int, ...] = (int(rng.integers(1, 17)),)

    def options() -> dict[str, Any]:
        """Draw the activation and the bias of one layer."""
        activation = str(rng.choice(get_args(Activation)))
        return {"activation": activation, "bias": bool(rng.random() < 0.5)}

    if rng.random() < 1 / 3:
        shape = tuple(int(n) for n in (*rng.integers(3, 9, 2), rng.integers(1, 4)))
        for _ in range(int(rng.integers(1, 3))):
            height, width, _channels = Network(shape, tuple(layers)).shapes[-1]
            kernel = (
                int(rng.integers(1, min(height, 4) + 1)),
                int(rng.integers(1, min(width, 4) + 1)),
            )
            stride, padding = int(rng.integers(1, 4)), int(rng.integers(0, 3))
            channels = int(rng.integers(1, 5))
            layers.append(Conv(channels, kernel, stride, padding, **options()))
    layers += [Dense(int(n), **options()) for n in rng.integers(1, 17, int(rng.integers(1, 4)))]
    loss: Any = str(rng.choice(get_args(Loss)))
    if LOSS_KINDS[loss].takes_logits:
        last = layers[-1]
        assert isinstance(last, Dense)
        layers[-1] = Dense(last.units, "identity", last.bias)
    return Setting(
        Network(shape, tuple(layers), loss),
        *_samples(rng),
        optimizer=str(rng.choice([*OPTIMIZERS, *OTHER_CONSTANTS])),
        decay=str(rng.choice(list(DECAYS))),
    )


def _samples(rng: np.random.Generator) -> tuple[int, int | None]:
    samples = int(rng.integers(1, 301 if rng.random() < 0.05 else 41))
    full = samples == 1 or rng.random() < 0.5
    return samples, None if full else int(rng.integers(1, samples + 1))
