"""The activations and losses that the reference knows: the contract's, and those that only a judged program may use.

The contract never asks an implementation for the latter. They are hypotheses on what a program computes, and make a
`Network` of the contract as any other name does: `Network((2,), (Dense(4), Dense(3, SOFTMAX)), "mse")`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from .. import contract
from ..contract import Activation, Loss, LossKind

# `Dense` and `Network` hold any name; their types are the contract's. These casts are the only ones that say otherwise.
SOFTMAX = cast(Activation, "softmax")
"""e^z / Σ e^z over the layer's units: the only activation here that is not element by element."""

BINARY_CROSS_ENTROPY_OF_PROBABILITIES = cast(Loss, "binary_cross_entropy_of_probabilities")
"""The mean over all elements of -(y log p + (1 - y) log(1 - p)), where p are the network's outputs."""

CROSS_ENTROPY_OF_PROBABILITIES = cast(Loss, "cross_entropy_of_probabilities")
"""-Σ y log p over the outputs, the mean over the samples, where p are the network's outputs."""

LOSS_KINDS: Mapping[Loss, LossKind] = {
    **contract.LOSS_KINDS,
    BINARY_CROSS_ENTROPY_OF_PROBABILITIES: LossKind("binary cross-entropy of probabilities"),
    CROSS_ENTROPY_OF_PROBABILITIES: LossKind("cross-entropy of probabilities"),
}
"""The contract's losses and those of probabilities, which apply no link: the outputs are the predictions."""
