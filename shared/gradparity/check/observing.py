"""Observe a target in one dtype: on vetted and drawn networks, in repeated calls, and over training runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..contract import Params, tensors
from ..errors import TargetRaisedError
from ..reference.step import StepValues
from ..suites.core import CORE_SUITE, Configuration, Kind, Level
from ..suites.drawn import drawn
from ..suites.extended import extended_suite
from ..suites.extremes import extremes
from ..verdict.case import CONSECUTIVE, Case
from ..verdict.judge import PHASES
from ..verdict.observation import Observation
from .answer import answer
from .homework import homework
from .labels import asked_for
from .observed import Observed, named
from .target import Limits, Target
from .training import stepped, training_runs

_SAMPLES = (21, 13, 10, 17)
"""Numbers of samples for a network that the target prescribes: odd and even, one and several times its outputs."""


def observe(target: Target, dtype: str, kind: Kind, level: Level = "default") -> Observed:
    """Run the target on every configuration; in float64 also repeat calls, and follow training runs.

    Every vetted configuration is asked twice, with other numbers of the same shapes: results that are remembered by
    shape, or weights that are compiled in, are wrong for the second ones.
    """
    observed = Observed()
    asked: list[tuple[str, Observation]] = []
    vetted = configurations(target.limits, dtype, kind)
    others = configurations(target.limits, dtype, kind, numbers=1)
    for (where, case), (_, other) in zip(vetted, others, strict=True):
        first = _on_configuration(target, where, case)
        second = _on_configuration(target, f"{where}, other numbers", other)
        observed += first + second
        asked += (*first.observations[:1], *second.observations[:1])
        if first.observations and second.observations and not observed.broken:
            observed += _remembered(where, first.all[0], second.all[0])
    if observed.broken:
        return observed
    compiles = "jax" in sys.modules
    if dtype == "float64" or not compiles:
        for where, drawn_case in drawn(target.limits, dtype, level, few_shapes=compiles):
            case = asked_for(target.limits, drawn_case)
            observed += _on_configuration(target, where, case)
    if kind == "full" and target.limits.widths is None:
        for where, case in extremes(dtype, level):
            observed += _on_configuration(target, where, case)
    if dtype != "float64" or not asked or observed.broken:
        return observed
    for where, one in (asked[0], asked[-1]):
        observed += _asked_again(target, where, one)
    if target.trains:
        observed += training_runs(target, _for_training(target.limits), observed.verdict)
    else:
        observed += _in_a_row(target)
    if not observed.broken:
        observed += homework(target, level)
    return observed


def vetted(target: Target, dtype: str) -> Observed:
    """Run the target on the vetted configurations of the core alone."""
    observed = Observed()
    for where, case in configurations(target.limits, dtype):
        observed += _on_configuration(target, where, case)
    return observed


def configurations(
    limits: Limits, dtype: str, kind: Kind = "core", numbers: int = 0
) -> Iterator[tuple[str, Case]]:
    """Yield the configurations of the vetted suites, or those that the target can run instead.

    Another number in `numbers` gives other weights, data and, if there is no limit, another learning rate.
    """
    rate = limits.learning_rate or (0.5 if numbers else None)
    for seed, configuration in enumerate(_core(limits)):
        case = configuration.case(dtype, seed + 100 * numbers, rate)
        yield str(configuration), asked_for(limits, case)
    if kind == "full" and limits.widths is None:
        yield from extended_suite(dtype, seed=numbers)


def _core(limits: Limits) -> Sequence[Configuration]:
    if limits.widths is not None:
        biases = (True,) if limits.biases is None else limits.biases
        counts = _SAMPLES if limits.samples is None else (limits.samples,) * 2
        return [
            Configuration(limits.widths, biases, samples, None if at % 2 else batch)
            for at, samples in enumerate(counts)
            for batch in [None if limits.samples else samples - 4]
        ]
    if limits.biases is not None:
        return [replace(c, biases=limits.biases) for c in CORE_SUITE]
    return CORE_SUITE


def _for_training(limits: Limits) -> Configuration:
    """Return the first configuration with mini-batches, or else the first one."""
    chosen = _core(limits)
    return next((c for c in chosen if c.batch_size), chosen[0])


def _on_configuration(target: Target, where: str, case: Case) -> Observed:
    answered = answer(target, case)
    noticed = Observed(narrow=answered.narrow, mutations=answered.mutations)
    if isinstance(answered.error, TargetRaisedError):
        noticed = replace(noticed, not_judged=(f"{where}: {answered.error}",))
    elif answered.error is not None:
        return replace(noticed, broken=(f"{where}: {answered.error}",))
    ran = frozenset([where] if answered.steps else [])
    return replace(noticed, observations=named(where, answered.steps), ran=ran)


def _in_a_row(target: Target) -> Observed:
    """Let a target without `train` go some steps, each from its own last result: on one batch, and on several."""
    observed = Observed()
    rows = reversed(list(configurations(target.limits, "float64")))
    chosen = {case.schedule.batch_size is None: (where, case) for where, case in rows}
    for where, case in chosen.values():
        params: Params | None = case.params
        for count in range(CONSECUTIVE):
            if params is not None:
                one = replace(case, params=params, update=case.update + count)
                found = _on_configuration(target, f"{where}, step {count + 1} in a row", one)
                observed += found
                params = next((stepped(o) for o in found.all), None)
    return observed


def _remembered(where: str, first: Observation, other: Observation) -> Observed:
    """Compare the results for other numbers with those that the first numbers explain."""
    if not other.wrong("forward", "loss", "gradient") or first.wrong(*PHASES):
        return Observed()
    shown = other.result
    result = StepValues(
        shown.activations if other.wrong("forward") else None,
        shown.loss if other.wrong("loss") else None,
        shown.grads if other.wrong("gradient") else None,
    )
    old_weights = replace(other.case, params=first.case.params)
    for what, case in {"results": first.case, "weights": old_weights}.items():
        if not Observation(case, result).wrong(*PHASES):
            broken = (
                f"{where}: asked with other numbers of the same shapes, it returns what belongs to the {what} of the "
                "first question: it remembers them by shape, or they are compiled in"
            )
            return Observed(broken=(broken,))
    return Observed()


def _asked_again(target: Target, where: str, first: Observation) -> Observed:
    """Repeat a call: other results mean that the target keeps something between calls, or draws random numbers."""
    noticed, before = Observed(), first.result
    for _ in range(2):
        again = answer(target, first.case)
        noticed += Observed(narrow=again.narrow, mutations=again.mutations)
        if again.error is not None and not again.steps:
            return replace(noticed, broken=(f"{where}, called again: {again.error}",))
        for name, in_words in _REPEATABLE.items():
            if not _same(first, getattr(before, name), getattr(again.first, name), name):
                broken = (
                    f"{where}: called again in the same way, it returns other {in_words}: it keeps something between "
                    "calls (gradients that are not reset to zero?) or draws random numbers"
                )
                return replace(noticed, broken=(broken,))
        before = again.first
    return noticed


_REPEATABLE = {"loss": "losses", "grads": "gradients", "updated": "updated weights"}


def _same(observation: Observation, before: Any, after: Any, name: str) -> bool:
    """Return True if two answers differ only by rounding: samples may be shuffled in a full batch."""
    if before is None or after is None:
        return before is after
    columns = (after, before, *(getattr(step, name) for step in observation.answer))
    arrays = [tensors(c) if isinstance(c, tuple) else [np.asarray(c)] for c in columns]
    again, first, exact, bound = arrays
    return observation.left_over(again, first, exact, bound) <= 1
