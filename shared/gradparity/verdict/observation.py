"""One step as a target carried it out, next to the right result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..reference.layers import Array
from ..reference.step import StepValues
from .case import Case
from .judge import Finding, Phase, Verdict, judge
from .layerwise import layerwise

STEEPER = 4.0
"""A wrong activation may be up to four times as steep as the sigmoid, and amplify rounding errors as much."""


@dataclass(frozen=True, eq=False)
class Observation:
    """A case, and a target's result for it. With `absolute_sigmoid` it is judged by a wider bound: see `bound`."""

    case: Case
    result: StepValues
    absolute_sigmoid: bool = False

    @cached_property
    def answer(self) -> tuple[StepValues, StepValues]:
        """The oracle's result and the bound."""
        return self.case.expect(absolute_sigmoid=self.absolute_sigmoid)

    @cached_property
    def findings(self) -> list[Finding]:
        """The verdicts, tensor by tensor, in the order of computation."""
        expected, bound = self.answer
        found = judge(self.case.params, self.result, expected, bound, slack=self.case.oracle_slack)
        if self.elements[0] > 1 or all(f.verdict is not Verdict.ABSTAIN for f in found):
            return found
        # Where the bound of the whole pass is too wide, each layer alone may still show enough.
        alone = {(f.phase, f.layer, f.tensor): f for f in self.layer_by_layer()}
        return [
            alone.get((f.phase, f.layer, f.tensor), f) if f.verdict is Verdict.ABSTAIN else f
            for f in found
        ]

    def layer_by_layer(self) -> list[Finding]:
        """Return the verdicts on each layer of a network that computes a single sample: see `layerwise`."""
        return layerwise(self.case, self.result, absolute_sigmoid=self.absolute_sigmoid)

    def wrong(self, *phases: Phase) -> bool:
        """Return True if any tensor of these phases disagrees."""
        return any(f.phase in phases and f.verdict is Verdict.DISAGREE for f in self.findings)

    @property
    def depth(self) -> int:
        """The number of layers of the network."""
        return len(self.case.network.layers)

    @cached_property
    def elements(self) -> tuple[int, int]:
        """The numbers of samples and of outputs of the batch."""
        samples, outputs = self.case.batch[1].shape
        return samples, outputs

    def left_over(
        self,
        observed: Sequence[Any],
        predicted: Sequence[Any],
        exact: Sequence[Any],
        bound: Sequence[Any],
        roundings: int = 1,
    ) -> float:
        """Compute the largest |observed - predicted| as a share of the rounding error allowed in the prediction.

        The allowed error is the largest bound of the tensor, scaled by the prediction's size, because only the right
        equations show which entries rounding affects most. The share is infinite for NaN, and if an observed tensor is
        wrong where the predicted one is right. Entries that are not finite in both leave no difference. Above 1 the
        result is the first such share that was found, not the largest.
        """
        slack = self.case.oracle_slack * STEEPER**self.depth * roundings
        eps = float(np.finfo(self.case.dtype).eps)
        largest = 0.0
        for one, other, g, e in zip(observed, predicted, exact, bound, strict=True):
            as_predicted = ~np.isfinite(one) & ~np.isfinite(other)
            c, h = (np.where(as_predicted, g, values) for values in (one, other))
            with np.errstate(all="ignore"):
                ratio = _norm(h) / _norm(g)
                grown = max(1.0, ratio) if np.isfinite(ratio) else 1.0
                allowed = slack * np.max(e) * grown + 4 * eps * np.max(np.abs(h))
                share = np.max(np.abs(c - h)) / allowed
                allowed = self.case.oracle_slack * e
                fault, explained = (bool(np.any(np.abs(x - g) > allowed)) for x in (c, h))
            if np.isnan(share) or (fault and not explained):
                share = np.inf
            largest = max(largest, float(share))
            if largest > 1:  # most predictions do not fit, and the first tensor shows it
                break
        return largest


def deviation(values: Array, exact: Array) -> float:
    """Compute ‖values - exact‖ / ‖exact‖."""
    with np.errstate(all="ignore"):
        return float(_norm(values - exact) / _norm(exact))


def _norm(values: Any) -> Any:
    return np.linalg.norm(np.ravel(values).astype(np.float64))
