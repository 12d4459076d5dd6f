"""Judge a target on the suite, in float64 and in float32, and over its training runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from .. import blame
from ..border import interruptible
from ..processes import one_quiet_thread
from ..suites.core import Kind, Level
from ..verdict.judge import Verdict
from .advice import advice
from .at_the_line import wrong_lines
from .conclusion import conclude, not_judged
from .explain import differs
from .judgement import Judgement
from .judging import judge
from .looking import look
from .observed import Observed
from .observing import observe
from .report import Report
from .target import CLASSES, CROSS_ENTROPIES, Target

DTYPES = ("float64", "float32")


def examine(
    target: Target, kind: Kind = "core", *, level: Level = "default", strict: bool = False
) -> Report:
    """Judge a target on everything it offers, on networks of this kind.

    If `strict`, another network or loss than the assignment's is not accepted, nor another factor on the gradient.
    """
    begin = time.perf_counter()
    seen = look(target)  # before it is given other weights
    raised: list[BaseException] = []
    watched = target.watched(lambda error: raised.append(error) if not raised else None)
    # As in the runner: the networks are tiny, and an overflow is judged, so it needs no warning.
    with one_quiet_thread():
        judgement = _judgement(target, watched, kind, level)
        conclusion = conclude(target, kind, judgement, strict=strict)
        known = conclusion.verdict is Verdict.AGREE and not judgement.own_loss
        advised = advice(seen, target.limits, judgement.convention) if known else ()
        disagrees = conclusion.verdict is Verdict.DISAGREE
        lines, unsought = _lines(target, judgement) if disagrees else ([], [])
    return Report(
        target=target.name,
        kind=target.kind,
        verdict=conclusion.verdict,
        headline=conclusion.headline,
        offered=sorted(target.functions),
        phases={one.dtype: one.phases for one in judgement.judged if one.observed.observations},
        first=conclusion.first,
        diagnosis=conclusion.diagnosis,
        lines=lines,
        notes=tuple(dict.fromkeys([*_notes(target, judgement), *unsought])),
        advice=advised,
        not_judged=not_judged(judgement),
        traceback=blame.shown(raised[0]) if raised else "",
        seconds=round(time.perf_counter() - begin, 2),
    )


def _lines(target: Target, judgement: Judgement) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the lines of the program that are wrong, where they can be found, and a note if the search failed."""
    if target.registered:
        return [], []
    try:
        with interruptible():
            return [asdict(line) for line in wrong_lines(target, judgement)], []
    except (
        Exception
    ) as error:  # it runs changed programs of any kind; the verdict stands without it
        return [], [f"the search for the wrong line failed: {blame.described(error)}"]


def _judgement(target: Target, watched: Target, kind: Kind, level: Level) -> Judgement:
    """Judge the target; if nothing known explains it, once more with the labels 0 and 1, which may be all it knows."""
    judgement = judge(target, _observed(watched, kind, level))
    wrong = judgement.explanation
    known = wrong.known if wrong else not judgement.own_loss or bool(judgement.near)
    if known or judgement.knows_the_loss or target.registered or target.limits.labels is not None:
        return judgement
    if wrong and not judgement.wrong_between_classes:
        return judgement
    limits = replace(target.limits, labels=CLASSES)
    if judgement.convention.loss in CROSS_ENTROPIES:
        limits = replace(limits, loss=judgement.convention.loss)
    classes = replace(target, limits=limits)
    of_classes = judge(classes, _observed(classes, kind, level))
    if of_classes.explanation or of_classes.own_loss:
        return judgement
    return replace(of_classes, labels=CLASSES)


def _observed(target: Target, kind: Kind, level: Level) -> dict[str, Observed]:
    observed = {dtype: observe(target, dtype, kind, level) for dtype in DTYPES}
    wide = observed["float64"]
    if wide.narrow and target.registered:
        broken = (*wide.broken, f"it returns float32 for float64: {', '.join(sorted(wide.narrow))}")
        observed["float64"] = replace(wide, broken=broken)
    return observed


def _notes(target: Target, judgement: Judgement) -> Iterator[str]:
    """Yield what else a reader must know."""
    yield from target.notes
    if not target.trains and target.shows_gradients:
        yield "every update was judged alone: its own loop over epochs, if it has one, was not asked to run"
    if {"loss", "loss_and_grads"} & set(target.functions) and not judgement.tells_a_loss:
        yield "it tells no loss, so none was judged"
    for one in judgement.judged:
        noticed = one.observed
        if noticed.narrow:
            what = ", ".join(sorted(noticed.narrow))
            yield f"it returns float32 for float64, so these are judged in float32 only: {what}"
        if noticed.not_judged and not noticed.ran:
            yield f"it could not run in {one.dtype}"
    yield from (
        judgement.explanation.notes if judgement.explanation else differs(judgement.convention)
    )
    for one in judgement.judged:
        yield from (f"{name} changes the arrays that it gets" for name in one.observed.mutations)
