"""A target of the check: the functions that it offers, and its limits.

A target may be an implementation of the contract or of a part of it; a `torch.nn.Module`; a JAX loss function; or
any other program with an adapter: a file with some of the contract's functions, each with the target as an additional
first argument, and constants that state the target's limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from types import SimpleNamespace
from typing import Any

from ..errors import InputError
from ..guarded import Guarded

FUNCTIONS = ("forward", "loss", "loss_and_grads", "step", "train")
"""The functions that a target may offer.

`forward`, `loss_and_grads` and `train` are the contract's; `loss(network, params, inputs, targets)`, and
`step(network, params, inputs, targets, learning_rate)`, which returns the params after one update on this batch.
"""


OWN_CONSTANTS = ("ACTIVATIONS", "LOSS", "TARGETS", "PENALTY", "PER_SAMPLE")
"""The constants with which a target itself may state what it computes."""

CONSTANTS = ("WIDTHS", "BIASES", "SAMPLES", "LEARNING_RATE", *OWN_CONSTANTS)
"""The constants of an adapter, which state also what the target can run."""

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "identity", "softmax")
"""The activations that a target may state; `softmax` in the output layer only."""

LOSSES = {
    "mse": "",
    "binary_cross_entropy": "binary_cross_entropy_of_probabilities",
    "cross_entropy": "cross_entropy_of_probabilities",
}
"""The losses that a target may state, as the judge calls them. Of an `identity` output they take logits."""

_OF_LOGITS = {
    "mse": "",
    "binary_cross_entropy": "binary_cross_entropy",
    "cross_entropy": "softmax_cross_entropy",
}

CROSS_ENTROPIES = ("softmax_cross_entropy", "cross_entropy_of_probabilities")
"""The losses of classes: a sample's targets are a distribution."""

CLASSES = (0.0, 1.0)
"""The labels of the two classes."""

_SIMILAR = 0.7
"""How similar a constant's name must be to one of `CONSTANTS`, as difflib measures it, to count as misspelled."""


@dataclass(frozen=True)
class Limits:
    """The only networks and data that a target can run, and what it computes; None: no limit, or not stated.

    Attributes:
        widths: the number of inputs, then the units of each layer.
        biases: for each layer, or for all, True if it has a bias.
        samples: the number of samples in a batch.
        learning_rate: the learning rate.
        activations: those of the hidden layers and of the output layer, or one for each layer.
        loss: the loss, as the judge calls it.
        labels: the only targets that it knows, as the two classes 0 and 1.
        penalty: λ of a penalty λ/2 Σ w² on the weights.
        per_sample: it updates after every sample.
    """

    widths: tuple[int, ...] | None = None
    biases: tuple[bool, ...] | None = None
    samples: int | None = None
    learning_rate: float | None = None
    activations: tuple[str, ...] | None = None
    loss: str | None = None
    labels: tuple[float, ...] | None = None
    penalty: float | None = None
    per_sample: bool = False

    @classmethod
    def stated(cls, adapter: Any) -> Limits:
        """Return the limits that an adapter states.

        Raises:
            InputError: a constant has the wrong type or size, or a name that is nearly that of another.
        """
        _check_names(adapter)
        widths, biases = getattr(adapter, "WIDTHS", None), getattr(adapter, "BIASES", None)
        samples, rate = getattr(adapter, "SAMPLES", None), getattr(adapter, "LEARNING_RATE", None)
        if widths is not None and (
            not isinstance(widths, tuple | list)
            or len(widths) < 2
            or not all(isinstance(n, int) and n > 0 for n in widths)
        ):
            raise _must_be("WIDTHS", "whole numbers, inputs first", widths)
        if isinstance(biases, bool):
            biases = (biases,)
        depth = len(widths) - 1 if widths else None
        if biases is not None and (
            not isinstance(biases, tuple | list) or len(biases) not in {1, depth or 1}
        ):
            raise _must_be("BIASES", "one bool, or one for each layer", biases)
        if samples is not None and not (isinstance(samples, int) and samples > 0):
            raise _must_be("SAMPLES", "a whole number above 0", samples)
        if rate is not None and not (isinstance(rate, int | float) and rate > 0):
            raise _must_be("LEARNING_RATE", "a positive number", rate)
        activations = _stated_activations(adapter, depth)
        labels, penalty = getattr(adapter, "TARGETS", None), getattr(adapter, "PENALTY", None)
        if labels is not None and tuple(labels) != (0, 1):
            raise _must_be("TARGETS", "(0, 1), the only labels that can be asked for", labels)
        if penalty is not None and not (isinstance(penalty, int | float) and penalty >= 0):
            raise _must_be("PENALTY", "a number, λ of λ/2 Σ w²", penalty)
        per_sample = getattr(adapter, "PER_SAMPLE", False)
        if not isinstance(per_sample, bool):
            raise _must_be("PER_SAMPLE", "True or False", per_sample)
        return cls(
            None if widths is None else tuple(widths),
            None if biases is None else tuple(map(bool, biases)),
            samples,
            None if rate is None else float(rate),
            activations,
            _stated_loss(adapter, activations),
            None if labels is None else CLASSES,
            None if penalty is None else float(penalty),
            per_sample,
        )


def _must_be(name: str, what: str, found: Any) -> InputError:
    return InputError(f"the adapter's {name} must be {what}: {found!r}")


def _check_names(adapter: Any) -> None:
    """Refuse a constant that looks like one of ours, but is not: it would be ignored."""
    for name in vars(adapter) if hasattr(adapter, "__dict__") else ():
        if name.isupper() and name not in CONSTANTS:
            for right in get_close_matches(name, CONSTANTS, 1, _SIMILAR):
                raise InputError(
                    f"the adapter's {name} is not a constant that is known here: is it {right}? "
                    "(if it is one of your own, give it another name)"
                )


def _stated_activations(adapter: Any, depth: int | None) -> tuple[str, ...] | None:
    stated = getattr(adapter, "ACTIVATIONS", None)
    if stated is None:
        return None
    names = (stated, stated) if isinstance(stated, str) else tuple(stated)
    right = all(name in ACTIVATIONS for name in names) and "softmax" not in names[:-1]
    if not right or len(names) not in {2, depth or 2}:
        raise _must_be(
            "ACTIVATIONS",
            "one name, or that of the hidden layers and that of the output layer, or one for each layer, of "
            f"{', '.join(ACTIVATIONS)} (softmax in the output layer only)",
            stated,
        )
    return names


def _stated_loss(adapter: Any, activations: tuple[str, ...] | None) -> str | None:
    stated = getattr(adapter, "LOSS", None)
    if stated is None:
        return None
    if stated not in LOSSES:
        raise _must_be("LOSS", f"one of {', '.join(LOSSES)}", stated)
    logits = activations is not None and activations[-1] == "identity"
    return (_OF_LOGITS if logits else LOSSES)[stated]


@dataclass(frozen=True)
class Target:
    """A program to be judged.

    Attributes:
        name: the target's name as given.
        kind: the kind of target, in words.
        functions: the functions it offers, of `FUNCTIONS`.
        limits: the only networks and data that it can run.
        contract: True for an implementation of the contract.
        registered: True for one that is installed under a name; it must compute the very network that it is given.
        program: the program itself, to see what it says of itself.
        adapter: its adapter.
        notes: what a reader must know about how it was loaded.
    """

    name: str
    kind: str
    functions: Mapping[str, Callable[..., Any]]
    limits: Limits = Limits()
    contract: bool = False
    registered: bool = False
    program: Any = None
    adapter: Any = None
    notes: Sequence[str] = ()

    def watched(self, see: Callable[[BaseException], None]) -> Target:
        """Return the same target; `see` is called with every exception that it raises."""

        def watching(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **keywords: Any) -> Any:
                try:
                    return function(*arguments, **keywords)
                except BaseException as error:
                    see(error)
                    raise

            return call

        functions = {name: watching(function) for name, function in self.functions.items()}
        return replace(self, functions=functions)

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
