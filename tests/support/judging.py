"""Verdicts on whole runs: every step between the weights that a run kept, and every member of an ensemble."""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter
from typing import Any

from gradparity.contract import Ensemble, Params, Snapshot, State, map_params
from gradparity.verdict.case import Case, steps_of
from gradparity.verdict.judge import Finding, Verdict, judge


def judged(case: Case, kept: dict[int, Snapshot], losses: Any) -> list[Finding]:
    """Every step between consecutive kept weights."""
    found = []
    for one, seen in steps_of(case, kept, losses):
        expected, bound = one.expect()
        found += judge(one.params, seen, expected, bound, slack=one.oracle_slack)
    return found


def member(ensemble: Ensemble, k: int) -> dict[int, Snapshot]:
    def of(params: Params) -> Params:
        return map_params(itemgetter(k), params)

    return {
        count: Snapshot(of(params), State(count, {n: of(a) for n, a in state.arrays.items()}))
        for count, (params, state) in ensemble.kept.items()
    }


def judge_members(case: Case, inputs: Any, targets: Any, ensemble: Ensemble) -> set[Verdict]:
    found: set[Verdict] = set()
    own_data = inputs.ndim > case.inputs.ndim
    for k, rate in enumerate(case.schedule.learning_rate):
        one = replace(
            case,
            schedule=replace(case.schedule, learning_rate=float(rate)),
            inputs=inputs[k] if own_data else inputs,
            targets=targets[k] if own_data else targets,
        )
        found |= {f.verdict for f in judged(one, member(ensemble, k), ensemble.losses[k])}
    return found
