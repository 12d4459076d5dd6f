"""What is judged of a target, and the judgement on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..verdict.agreement import Tally
from ..verdict.judge import PHASES, Finding, Verdict
from ..verdict.observation import Observation
from .convention import Convention
from .coverage import never_shown
from .explain import Explanation
from .observed import Observed
from .target import CROSS_ENTROPIES


@dataclass(frozen=True)
class Judged:
    """What was observed in one dtype, as judged."""

    dtype: str
    observed: Observed

    @property
    def phases(self) -> dict[str, dict[str, Any]]:
        """The verdict and the figures of each phase that was judged."""
        tallies = {phase: Tally() for phase in PHASES}
        for observation in self.observed.all:
            for finding in observation.findings:
                tallies[finding.phase].add("", finding)
        return {
            phase: {key: value for key, value in tally.summary().items() if key != "largest_at"}
            for phase, tally in tallies.items()
            if tally.shares
        }

    @property
    def first_wrong(self) -> dict[str, Any] | None:
        """The first tensor that disagrees, in the order of computation."""
        for where, observation in self.observed.observations:
            for finding in observation.findings:
                if finding.verdict is Verdict.DISAGREE:
                    return {"dtype": self.dtype, "step": where, **_in_json(finding)}
        return None


def _in_json(finding: Finding) -> dict[str, Any]:
    finite = np.isfinite(finding.difference)
    return {
        "phase": finding.phase,
        "layer": finding.layer,
        "tensor": finding.tensor,
        "index": list(finding.index),
        "difference": finding.difference if finite else None,
        "allowed": finding.allowed,
        "text": str(finding),
    }


@dataclass(frozen=True)
class Judgement:
    """The judgement on a target: every number that it showed, judged under one convention.

    Attributes:
        convention: the convention that it follows, or the likeliest if it is wrong under all.
        judged: what was observed in each dtype.
        own_loss: its gradient was judged against differences of its own loss, which is none that is known here.
        near: in words, the loss that is known and nearest to its own, and how near it is; empty if none is near.
        other: in words, how its network differs from all that are known; empty if it does not.
        prescribed: it runs one network only.
        labels: the only targets for which it was judged; empty if for any.
        explanation: why it is wrong; None if nothing disagrees.
    """

    convention: Convention
    judged: tuple[Judged, ...]
    own_loss: bool = False
    near: str = ""
    other: str = ""
    prescribed: bool = False
    labels: tuple[float, ...] = ()
    explanation: Explanation | None = None

    @property
    def wrong(self) -> Judged | None:
        """The first dtype in which something disagrees."""
        return next((j for j in self.judged if j.observed.verdict is Verdict.DISAGREE), None)

    @property
    def observations(self) -> list[Observation]:
        """What was observed in all dtypes."""
        return [observation for one in self.judged for observation in one.observed.all]

    @property
    def findings(self) -> Iterator[Finding]:
        """The verdicts on all tensors."""
        return (finding for observation in self.observations for finding in observation.findings)

    @property
    def never_shown(self) -> list[str]:
        """What abstained wherever it was judged, in words."""
        return never_shown(self.findings, prescribed=self.prescribed)

    @property
    def wrong_between_classes(self) -> bool:
        """True if something is wrong for targets between 0 and 1, as a program may be that knows the two alone."""
        return any(
            o.wrong(*PHASES)
            for o in self.observations
            if np.all((o.case.batch[1] >= 0) & (o.case.batch[1] <= 1))
            and np.any((o.case.batch[1] != 0) & (o.case.batch[1] != 1))
        )

    @property
    def tells_a_loss(self) -> bool:
        """True if it tells a loss that was judged."""
        return bool(self.of_the_loss)

    @property
    def knows_the_loss(self) -> bool:
        """True if the loss that it tells is right, for targets between 0 and 1 as well."""
        found = self.of_the_loss
        # Of a cross-entropy of classes, the gradient may be right for distributions only.
        of_classes = self.convention.loss in CROSS_ENTROPIES
        return Verdict.AGREE in found and Verdict.DISAGREE not in found and not of_classes

    @property
    def of_the_loss(self) -> set[Verdict]:
        """The verdicts on the loss that it tells."""
        return {finding.verdict for finding in self.findings if finding.tensor == "loss"}

    @property
    def right(self) -> bool:
        """True if nothing disagrees, and everything showed enough: only this speaks for a convention."""
        return self.wrong is None and not self.never_shown


def under(convention: Convention, observed: Mapping[str, Observed]) -> Judgement:
    """Judge what was observed in each dtype under a convention."""
    judged = (
        Judged(dtype, one.each(replace(convention, coarse=_is_coarse(one)).under))
        for dtype, one in observed.items()
    )
    return Judgement(convention, tuple(judged))


def _is_coarse(observed: Observed) -> bool:
    """Return True if arrays were narrower than asked for: a loss alone says nothing of the rest."""
    return bool(observed.narrow - {"losses"})


def all_of(observed: Mapping[str, Observed]) -> list[Observation]:
    """Return all observations that can be judged in their own dtype."""
    return [o for one in observed.values() if not _is_coarse(one) for o in one.all]
