"""One step as a target carried it out, beside what it should have been."""

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

STEEPER = 4.0
"""A wrong activation may be up to four times as steep as the sigmoid, and multiply rounding errors as much."""


@dataclass(frozen=True, eq=False)
class Observation:
    """A case, and what a target made of it. `absolute_sigmoid`: judged by the wider bound, see `bound`."""

    case: Case
    seen: StepValues
    absolute_sigmoid: bool = False

    @cached_property
    def answer(self) -> tuple[StepValues, StepValues]:
        """The oracle's result and the bound."""
        return self.case.expect(absolute_sigmoid=self.absolute_sigmoid)

    @cached_property
    def findings(self) -> list[Finding]:
        """The verdicts, tensor by tensor, in the order of computation."""
        expected, bound = self.answer
        return judge(self.case.params, self.seen, expected, bound, slack=self.case.oracle_slack)

    def wrong(self, *phases: Phase) -> bool:
        """Whether any tensor of these phases disagrees."""
        return any(f.phase in phases and f.verdict is Verdict.DISAGREE for f in self.findings)

    @property
    def depth(self) -> int:
        """Layers of the network."""
        return len(self.case.network.layers)

    @property
    def elements(self) -> tuple[int, int]:
        """Samples and outputs of the batch."""
        samples, outputs = self.case.batch[1].shape
        return samples, outputs

    def left_over(
        self,
        seen: Sequence[Any],
        predicted: Sequence[Any],
        exact: Sequence[Any],
        bound: Sequence[Any],
        roundings: int = 1,
    ) -> float:
        """The largest |seen - predicted| as a share of what rounding can do to the prediction; infinite if unexplained.

        That is the largest bound of the tensor, in proportion to the prediction's size: which entries rounding
        touches most, only the right equations tell. Where what is seen is wrong, the prediction must be wrong as
        well. Entries that are no finite numbers, as predicted, leave nothing over. Above 1, not the largest share but
        the first that was found.
        """
        slack = self.case.oracle_slack * STEEPER**self.depth * roundings
        eps = float(np.finfo(self.case.dtype).eps)
        largest = 0.0
        for one, other, g, e in zip(seen, predicted, exact, bound, strict=True):
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
            if largest > 1:  # most predictions do not fit, and the first tensor tells
                break
        return largest


def deviation(values: Array, exact: Array) -> float:
    """‖values - exact‖ / ‖exact‖."""
    with np.errstate(all="ignore"):
        return float(_norm(values - exact) / _norm(exact))


def _norm(values: Any) -> Any:
    return np.linalg.norm(np.ravel(values).astype(np.float64))
