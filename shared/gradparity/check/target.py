"""A target of the check: the functions that it offers, and its limits.

A target may be an implementation of the contract or of a part of it; a `torch.nn.Module`; a JAX loss function; or
any other program with an adapter: a file with some of the contract's functions, each with the target as an additional
first argument, and constants that state the target's limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from ..errors import InputError
from ..guarded import Guarded

FUNCTIONS = ("forward", "loss", "loss_and_grads", "step", "train")
"""The functions that a target may offer.

`forward`, `loss_and_grads` and `train` are the contract's; `loss(network, params, inputs, targets)`, and
`step(network, params, inputs, targets, learning_rate)`, which returns the params after one update on this batch.
"""


@dataclass(frozen=True)
class Limits:
    """The only networks and data that a target can run; None: no limit.

    An adapter states them as constants: WIDTHS = (2, 4, 4, 1); BIASES = False, or one for each layer;
    SAMPLES = 21; LEARNING_RATE = 0.1.
    """

    widths: tuple[int, ...] | None = None
    biases: tuple[bool, ...] | None = None
    samples: int | None = None
    learning_rate: float | None = None

    @classmethod
    def stated(cls, adapter: Any) -> Limits:
        """Return the limits that an adapter states.

        Raises:
            InputError: a constant has the wrong type or size.
        """
        widths, biases = getattr(adapter, "WIDTHS", None), getattr(adapter, "BIASES", None)
        samples, rate = getattr(adapter, "SAMPLES", None), getattr(adapter, "LEARNING_RATE", None)
        if widths is not None and (
            len(tuple(widths)) < 2 or not all(isinstance(n, int) and n > 0 for n in widths)
        ):
            raise InputError(
                f"the adapter's WIDTHS must be whole numbers, inputs first: {widths!r}"
            )
        if isinstance(biases, bool):
            biases = (biases,)
        if biases is not None and len(biases) not in {1, *([len(widths) - 1] if widths else [])}:
            raise InputError(
                f"the adapter's BIASES must be one bool, or one for each layer: {biases!r}"
            )
        if samples is not None and not (isinstance(samples, int) and samples > 1):
            raise InputError(f"the adapter's SAMPLES must be a whole number above 1: {samples!r}")
        if rate is not None and not (isinstance(rate, int | float) and rate > 0):
            raise InputError(f"the adapter's LEARNING_RATE must be a positive number: {rate!r}")
        return cls(
            None if widths is None else tuple(widths),
            None if biases is None else tuple(map(bool, biases)),
            samples,
            None if rate is None else float(rate),
        )


@dataclass(frozen=True)
class Target:
    """A program to be judged.

    Attributes:
        name: the target's name as given.
        kind: the kind of target, in words.
        functions: the functions it offers, of `FUNCTIONS`.
        limits: the only networks and data that it can run.
        contract: True for an implementation of the contract, whose loss is the MSE; others may have other conventions.
    """

    name: str
    kind: str
    functions: Mapping[str, Callable[..., Any]]
    limits: Limits = Limits()
    contract: bool = False

    @property
    def trains(self) -> bool:
        """True if the target trains, and so can be restarted at any step."""
        return "train" in self.functions

    @property
    def shows_gradients(self) -> bool:
        """True if its functions are enough to judge back-propagation."""
        return bool({"loss_and_grads", "step", "train"} & set(self.functions))

    @property
    def trainer(self) -> Guarded:
        """The target behind the border, to call its `train`, which must fulfil the contract in every detail."""
        functions: Any = SimpleNamespace(**self.functions)
        return Guarded(self.name, functions)
