"""Draw the conclusion: the verdict in one word and in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..blame import grouped
from ..suites.core import Kind
from ..verdict.judge import Verdict, combine
from .convention import PLAIN
from .explain import describe, of_loss
from .judgement import Judgement
from .target import Target


@dataclass(frozen=True)
class Conclusion:
    """The verdict in one word and in one line; for a wrong target, also the first error and the reasons."""

    verdict: Verdict
    headline: str
    first: Mapping[str, Any] | None = None
    diagnosis: Sequence[str] = ()


def conclude(
    target: Target, kind: Kind, judgement: Judgement, *, strict: bool = False
) -> Conclusion:
    """Conclude from a judgement. If `strict`, only the assignment's own network, loss and gradient are right."""
    if judgement.explanation is not None:
        wrong, found = judgement.wrong, judgement.explanation
        return Conclusion(
            Verdict.DISAGREE, found.headline, wrong.first_wrong if wrong else None, found.lines
        )
    reservation = next(_reservations(target, kind, judgement), None)
    if reservation is not None:
        return Conclusion(Verdict.ABSTAIN, reservation)
    headline = _headline(judgement)
    if strict and not _is_the_assignment(judgement):
        if _only_a_factor(judgement):
            reason = f"right up to a factor only: {headline}"
            return Conclusion(Verdict.DISAGREE, reason, diagnosis=[reason])
        return Conclusion(Verdict.ABSTAIN, f"not the assignment: {headline}")
    return Conclusion(Verdict.AGREE, headline)


def _is_the_assignment(judgement: Judgement) -> bool:
    """Return True for the assignment's own network, loss and gradient, however accurate its σ is."""
    own = replace(judgement.convention, absolute_sigmoid=False)
    return not judgement.own_loss and own == PLAIN


def _only_a_factor(judgement: Judgement) -> bool:
    """Return True if the gradient is not that of the loss which the target tells, but a multiple of it."""
    own = judgement.convention
    return not judgement.own_loss and own.factor is not own.loss_factor


def _headline(judgement: Judgement) -> str:
    own = judgement.convention
    if judgement.labels:
        return f"for the labels 0 and 1, {_headline(replace(judgement, labels=()))}"
    if judgement.own_loss:
        which = judgement.near or "which is none that is known here"
        other = f"; not the assignment's network: {judgement.other}" if judgement.other else ""
        return describe(own, f"its own loss, {which}") + other
    if describe(own) != describe(PLAIN):
        words = describe(own)
    elif own.absolute_sigmoid:
        words = "right, but its sigmoid is inaccurate for z far below zero"
    else:
        shares = [
            found["largest_share"] or 0.0
            for one in judgement.judged
            for found in one.phases.values()
        ]
        words = f"right: the largest error is {max(shares):.2g} of the rounding bound"
    if own.factor is not own.loss_factor and judgement.tells_a_loss:
        words += f"; the loss that it tells is {of_loss(own.loss_factor, own)}"
    return words


def not_judged(judgement: Judgement) -> list[str]:
    """Return the configurations that the target could not run, in every dtype."""
    return grouped(
        [f"{one.dtype}: {why}" for one in judgement.judged for why in one.observed.not_judged]
    )


_UNINFORMATIVE = "its results are not enough to distinguish right from wrong"


def _reservations(target: Target, kind: Kind, judgement: Judgement) -> Iterator[str]:
    """Yield reasons not to call a target right although nothing that was judged is wrong."""
    judged, raised = judgement.judged, not_judged(judgement)
    if combine(one.observed.verdict for one in judged) is Verdict.ABSTAIN:
        yield f"not judged: {raised[0].partition(': ')[2] if raised else _UNINFORMATIVE}"
    ran = sum(len(one.observed.ran) for one in judged)
    lacking = [] if target.trains else ["it has no train, so no optimizer was judged"]
    lacking = [*lacking, *raised]
    if kind == "full" and target.contract and lacking:
        yield f"right on {ran} configurations, but this is not the whole contract: {lacking[0]}"
    for one in judged:
        silent = bool(one.observed.not_judged) and not one.observed.ran
        if silent and (one.dtype == "float64" or target.registered):
            yield f"it could not run in {one.dtype}: {one.observed.not_judged[0]}"
    failed = sum(len(one.observed.not_judged) for one in judged)
    if failed > ran or (failed and target.registered):
        yield f"right on {ran} configurations, but it raised on {failed}: {raised[0]}"
    shown = {finding.phase for finding in judgement.findings}
    if target.shows_gradients and not shown & {"gradient", "update"}:
        why = f": {raised[0]}" if raised else ""
        yield f"not judged: it shows no gradient and no update{why}"
    if not target.shows_gradients:
        yield (
            f"what it offers ({', '.join(sorted(target.functions))}) is right, but back-propagation could not be "
            "judged: it offers no gradient and no step"
        )
    missing = judgement.never_shown
    if missing:
        several = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        yield f"nothing is wrong, but {missing[0]}{several} never showed enough to tell right from wrong"
