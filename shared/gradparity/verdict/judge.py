"""Compare two results of one step, tensor by tensor, within the bound."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

import numpy as np

from ..contract import Params
from ..reference.step import StepValues

Phase = Literal["forward", "loss", "gradient", "update"]
PHASES: tuple[Phase, ...] = ("forward", "loss", "gradient", "update")

RESOLUTION = 1e-2
"""The largest ρ = ‖bound‖ / ‖judged values‖. Above it the data cannot distinguish a 1 % error from a right result."""


class Verdict(StrEnum):
    """The verdict on a comparison: abstain means that the data cannot decide."""

    AGREE = "agree"
    DISAGREE = "disagree"
    ABSTAIN = "abstain"


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """Combine verdicts: disagree if any does, abstain if all abstain, and otherwise agree."""
    found = set(verdicts)
    for verdict in (Verdict.DISAGREE, Verdict.AGREE):
        if verdict in found:
            return verdict
    return Verdict.ABSTAIN


@dataclass(frozen=True)
class Finding:
    """The comparison of one tensor.

    Attributes:
        phase: the part of the step.
        layer: the layer, from 0; None for the loss.
        depth: the number of layers of the network.
        tensor: `activation`, `loss`, `recorded loss`, `final loss`, `weight`, `bias`, or a name such as
            `velocity of weight`.
        verdict: the verdict on the tensor; abstain if the bound is too wide (see `RESOLUTION`), or if there is
            none because the exact numbers overflow.
        share: the largest |difference| / bound over the entries: at most 1 inside the bound, infinite for NaN,
            0 if there is no bound.
        index: the index of the entry with that share.
        value: the judged value of that entry.
        expected: the value that it is compared with.
        difference: the difference of the two, in the more precise of their dtypes.
        allowed: the bound on that entry.
        beyond: the number of entries that differ by more than is allowed.
        entries: the number of all entries.
    """

    phase: Phase
    layer: int | None
    depth: int
    tensor: str
    verdict: Verdict
    share: float
    index: tuple[int, ...]
    value: float
    expected: float
    difference: float
    allowed: float
    beyond: int
    entries: int

    def __str__(self) -> str:
        entry = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        of = "" if self.layer is None else f" of {layer_in_words(self.layer, self.depth)}"
        where = f"{self.tensor}{entry}{of}"
        value, expected = _distinct(self.value, self.expected)
        several = self.beyond and self.entries > 1
        count = f", {self.beyond} of {self.entries} entries beyond it" if several else ""
        return (
            f"{self.phase}: {where}: {value} against {expected}, difference {self.difference:.3g}, "
            f"allowed {self.allowed:.3g} ({self.share:.3g} of the bound){count}"
        )


def layer_in_words(layer: int, depth: int) -> str:
    """Say which layer this is, counted from 1 for a reader; `layer` counts from 0."""
    return "the output layer" if layer == depth - 1 else f"layer {layer + 1} of {depth}"


def _distinct(value: float, expected: float) -> tuple[str, str]:
    """Format two numbers with three digits, or with as many more as it takes to distinguish them."""
    for digits in range(3, 18):
        texts = f"{value:.{digits}g}", f"{expected:.{digits}g}"
        if texts[0] != texts[1]:
            return texts
    return f"{value:.3g}", f"{expected:.3g}"


def judge(
    before: Params, result: StepValues, expected: StepValues, bound: StepValues, slack: float
) -> list[Finding]:
    """Compare all tensors of a step in the order of computation: gradients from the last layer down.

    Args:
        before: the weights from which the step started; they show how far an update moved.
        result: the result to judge.
        expected: the oracle's result, or another implementation's.
        bound: the bound on the distance of a correct implementation from the exact result.
        slack: the allowed distance in bounds: 1 from an exact result, 2 from another rounded one.
    """
    return [
        _compare(phase, layer, len(before), tensor, values, slack)
        for phase, layer, tensor, *values in _tensors(before, result, expected, bound)
    ]


def _tensors(
    before: Params, result: StepValues, expected: StepValues, bound: StepValues
) -> Iterator[tuple[Any, ...]]:
    """Yield phase, layer and name; the tensor in each step; and the values against which its bound is measured."""
    steps = result, expected, bound
    if result.activations is not None:
        for layer, activations in enumerate(zip(*(s.activations for s in steps), strict=True)):
            if activations[0] is not None:
                yield "forward", layer, "activation", *activations, activations[1]
    if result.loss is not None:
        yield "loss", None, "loss", *(s.loss for s in steps), expected.loss
    if result.grads is not None:
        for layer, tensor, *grads in _parameters(*(s.grads for s in steps)):
            yield "gradient", layer, tensor, *grads, grads[1]
    if result.recorded is not None:
        yield "loss", None, "recorded loss", *(s.recorded for s in steps), expected.recorded
    if result.final_loss is not None:
        yield "loss", None, "final loss", *(s.final_loss for s in steps), expected.final_loss
    if result.updated is not None:
        for layer, tensor, old, *updated in _parameters(before, *(s.updated for s in steps)):
            yield "update", layer, tensor, *updated, updated[1] - old
    for name in result.state or {}:
        for layer, tensor, *arrays in _parameters(*((s.state or {})[name] for s in steps)):
            yield "update", layer, f"{name} of {tensor}", *arrays, arrays[1]


def _parameters(*params: Any) -> Iterator[tuple[Any, ...]]:
    """Yield layer, name, and the tensors of that name, from the last layer down."""
    for layer, layers in reversed(list(enumerate(zip(*params, strict=True)))):
        yield layer, "weight", *(values.weight for values in layers)
        if layers[0].bias is not None:
            yield layer, "bias", *(values.bias for values in layers)


def _norm(array: np.ndarray) -> float:
    return float(np.linalg.norm(np.ravel(array).astype(np.float64)))


def _compare(
    phase: Phase, layer: int | None, depth: int, tensor: str, values: list[Any], slack: float
) -> Finding:
    result, expected, bound, judged = (np.asarray(value) for value in values)
    allowed = slack * bound.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):  # inf - inf
        difference = np.abs(result - expected).astype(np.float64)
        share = np.where(difference == 0, 0.0, difference / allowed)  # 0 / 0, where both are exact
    share = np.where(np.isnan(share), np.inf, share)
    worst = np.unravel_index(np.argmax(share), share.shape)
    largest, beyond = float(share[worst]), int(np.sum(share > 1))
    if not np.all(np.isfinite(allowed)):
        verdict, largest, beyond = Verdict.ABSTAIN, 0.0, 0
    elif largest > 1:
        verdict = Verdict.DISAGREE
    elif (size := _norm(judged)) == 0 or _norm(allowed) > RESOLUTION * size:  # zeros show nothing
        verdict = Verdict.ABSTAIN
    else:
        verdict = Verdict.AGREE
    return Finding(
        phase,
        layer,
        depth,
        tensor,
        verdict,
        largest,
        tuple(int(i) for i in worst),
        float(result[worst]),
        float(expected[worst]),
        float(difference[worst]),
        float(allowed[worst]),
        beyond,
        share.size,
    )
