"""Seek the mistake that a wrong target makes, under the convention that it follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..diagnosis.diagnose import Diagnosis, diagnose
from ..verdict.case import Case
from ..verdict.judge import PHASES
from ..verdict.observation import Observation
from .answer import answer
from .convention import PLAIN, Convention
from .explain import Explanation, explain
from .inference import fits
from .judgement import Judgement, under
from .observed import Observed
from .sample_by_sample import one_at_a_time, updates_by_sample
from .target import Target

_ALTERNATIVES = 3
"""The number of conventions under which a mistake is sought."""

_SHOWN = {True: 24, False: 12}
"""The number of observations by which it is sought: wrong ones, and right ones."""


def explained(
    target: Target, observed: Mapping[str, Observed], candidates: Sequence[Convention]
) -> Judgement:
    """Explain the mistake under the likeliest convention; a convention is no mistake, so a mistake is sought in it."""
    # Another network or loss that fits is no mistake.
    plain = [] if candidates[0].activations or candidates[0].loss else [PLAIN]
    tried = dict.fromkeys([*candidates[:_ALTERNATIVES], *plain])
    judgements = [under(convention, observed) for convention in tried]
    wrong = [(j.wrong.dtype, j) for j in judgements if j.wrong is not None]
    best: Judgement | None = None
    for dtype, judgement in wrong:
        observations = _telling(judgement, dtype)
        in_force = judgement.convention
        if in_force.per_sample or (
            not target.registered and updates_by_sample(target, observations)
        ):
            in_force = replace(in_force, per_sample=True)
            observations = one_at_a_time(target, observations)
        found = _diagnosed(target, in_force, observations)
        explanation = explain(found, in_force, strict=target.registered)
        if best is None or not found.unknown:
            judged = under(replace(in_force, factor=explanation.factor), observed)
            # Under its own factor, a program may differ in nothing that is shown in this dtype.
            judged = judged if judged.wrong else under(in_force, observed)
            best = replace(judged, explanation=explanation)
        if not found.unknown:
            break
    if best is None:
        unknown = Explanation("wrong, for an unknown reason")
        best = replace(under(PLAIN, observed), explanation=unknown)
    return best


def _telling(judgement: Judgement, dtype: str) -> list[Observation]:
    """Choose some observations that show a mistake, and some that it must leave right: the first of each configuration.

    The search for a name tries some thousand predictions on each.
    """
    (judged,) = (j for j in judgement.judged if j.dtype == dtype)
    chosen: dict[bool, dict[Any, Observation]] = {True: {}, False: {}}
    # With a single sample, many mistakes are the same, or cannot be made.
    several = [o for o in judged.observed.all if o.elements[0] > 1]
    enough = any(o.wrong(*PHASES) for o in several)
    for o in several if enough else judged.observed.all:
        wrong = o.wrong(*PHASES)
        shown = tuple(phase for phase in PHASES if o.wrong(phase))
        key = o.case.network, o.elements, o.case.schedule.optimizer, min(o.case.update, 2), shown
        if len(chosen[wrong]) < _SHOWN[wrong]:
            chosen[wrong].setdefault(key, o)
    return [Observation(o.case, o.result) for some in chosen.values() for o in some.values()]


def _diagnosed(
    target: Target, convention: Convention, observations: Sequence[Observation]
) -> Diagnosis:
    asked = {convention.network(o.case.network): o.case.network for o in observations}

    def ask(case: Case) -> Any:
        return answer(target, replace(case, network=asked[case.network])).first

    left = [convention.unscaled(o) for o in observations]
    if fits(convention, observations, "loss"):
        # It needs no name; without its penalty, it may be outside the bound of what is left.
        left = [replace(o, result=replace(o.result, loss=None)) for o in left]
    return diagnose(left, ask)
