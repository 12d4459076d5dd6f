"""Edges of the whole contract: late updates, other constants, odd kernels, every activation with every loss.

Unlike the extended suite these are not chosen to tell mistakes apart, but to reach what that suite leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from ..contract import (
    LOSS_KINDS,
    Activation,
    Adagrad,
    Adam,
    Conv,
    Dense,
    Loss,
    Network,
    Optimizer,
    RMSProp,
)
from ..verdict.case import Case
from .core import Level
from .extended import ExtendedConfiguration
from .random_networks import OTHER_CONSTANTS

_DRAWS: dict[Level, int] = {"quick": 1, "default": 2, "thorough": 10}
"""Draws of numbers for each edge."""

_OPTIMIZERS: dict[str, Optimizer] = {
    **OTHER_CONSTANTS,
    **{rule.__name__: rule() for rule in (Adagrad, RMSProp, Adam)},
}
"""Every optimizer with the contract's own constants or others; `extended` has the rest."""

_UPDATES = (5, 50, 1000)

KINKED: tuple[Activation, ...] = ("relu", "leaky_relu")
"""The activations that are not bounded: a program may cut them off."""

_DENSE = Network((3,), (Dense(4, "tanh"), Dense(2)))


def _late() -> Iterator[ExtendedConfiguration]:
    """Yield optimizers after many updates; every other one with weight decay."""
    for number, (name, optimizer) in enumerate(_OPTIMIZERS.items()):
        for at, update in enumerate(_UPDATES):
            yield ExtendedConfiguration(
                f"{name}, update {update}",
                _DENSE,
                samples=12,
                batch_size=6,
                update=update,
                optimizer=optimizer,
                decay=(0.0, 0.02)[(number + at) % 2],
                decoupled=bool(number // 2 % 2),
                learning_rate=(0.01, 0.5)[at % 2],
            )


def _losses() -> Iterator[ExtendedConfiguration]:
    """Yield every activation with every loss."""
    for loss in get_args(Loss):
        for activation in get_args(Activation):
            output: Activation = "identity" if LOSS_KINDS[loss].takes_logits else activation
            yield ExtendedConfiguration(
                f"{activation} under {LOSS_KINDS[loss].title}",
                Network((4,), (Dense(6, activation), Dense(3, output)), loss),
                samples=8,
                batch_size=4,
            )


def _convolution(name: str, shape: tuple[int, ...], conv: Conv) -> ExtendedConfiguration:
    return ExtendedConfiguration(
        name, Network(shape, (conv, Dense(2, "identity"))), samples=6, batch_size=3
    )


EXTREMES = (
    *_late(),
    *_losses(),
    _convolution("kernel 1×1", (4, 3, 2), Conv(3, (1, 1), activation="tanh")),
    _convolution("padding of 2", (4, 3, 2), Conv(3, (3, 2), padding=2, activation="sigmoid")),
    _convolution("stride of 3", (7, 8, 2), Conv(3, (2, 3), stride=3, activation="tanh")),
    _convolution("stride beyond the kernel", (7, 8, 2), Conv(3, (2, 2), 3, 1, "tanh")),
    _convolution("kernel as large as the image", (4, 3, 2), Conv(3, (4, 3), activation="tanh")),
    _convolution("one channel", (5, 4, 1), Conv(1, (2, 3), activation="leaky_relu")),
    _convolution("many channels", (3, 4, 9), Conv(17, (2, 2), activation="tanh")),
    ExtendedConfiguration(
        "kernel 1×1 upon a convolution",
        Network(
            (5, 4, 2),
            (Conv(3, (2, 3), activation="tanh"), Conv(4, (1, 1), activation="sigmoid"), Dense(2)),
        ),
        samples=6,
        batch_size=3,
    ),
    *(
        ExtendedConfiguration(
            f"{activation} far from zero",
            Network((40,), (Dense(50, activation), Dense(11, "identity"))),
            samples=8,
            batch_size=4,
            learning_rate=1e-4,
            size=8.0,
        )
        for activation in KINKED
    ),
)


def extremes(dtype: str, level: Level = "default") -> Iterator[tuple[str, Case]]:
    """Yield every edge by name, with some draws of its numbers."""
    for configuration in EXTREMES:
        for seed in range(_DRAWS[level]):
            yield f"{configuration}, draw {seed}", configuration.case(dtype, seed)
