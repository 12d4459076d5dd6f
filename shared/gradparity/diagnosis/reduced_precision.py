"""Recognise reduced precision: a part that computes in a coarser format. This mistake has no equation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..contract import Network, Schedule, map_params, tensors
from ..reference.layers import Array
from ..reference.precision import Precision
from ..reference.step import StepValues
from ..verdict.case import Case
from ..verdict.judge import Phase, Verdict, judge
from ..verdict.observation import Observation, deviation
from .mistakes import scopes
from .one_rounding import size, with_one_rounding

_FLOAT32 = Precision.of(np.float32)
FORMATS = (
    _FLOAT32,
    Precision("float16 or TF32", 2.0**-10, _FLOAT32.eta, _FLOAT32.largest),
    Precision("bfloat16", 2.0**-7, _FLOAT32.eta, _FLOAT32.largest),
)
"""The formats in which a part of a program may compute by mistake, the finest first."""

NUDGE = 0.05
"""A relative change far larger than the rounding of the coarsest of `FORMATS`, but small for smooth functions."""

Ask = Callable[[Case], StepValues]
"""A function that runs the target on one more case."""

SMALL = 2e-2
"""The largest relative deviation of an imprecise result: no format in `FORMATS` explains a larger one."""


def reduced_forward(observations: Sequence[Observation], ask: Ask) -> str:
    """Name the layers that compute their activations in a coarser format; empty if that explains nothing."""
    shown = [o for o in observations if o.result.activations is not None]
    wrong = [(o.depth, frozenset(leaks(o))) for o in shown]
    for coarse in _coarser(observations):
        if (
            not any(leaks(o, coarse) for o in observations)
            and all(map(_small_forward, observations))
            and as_large_as(observations, "forward", coarse)
        ):
            noise = is_noise(observations, "forward", ask)
            return f"reduced precision {_in_words(wrong)}, as of {coarse.name}" if noise else ""
    return ""


def reduced_gradient(observations: Sequence[Observation], phase: Phase, ask: Ask) -> str:
    """Name the layer from which down gradients or updates are in a coarser format; empty if that explains nothing."""
    wrong: list[tuple[int, frozenset[int]]] = []
    for o in observations:
        layers = [
            f.layer or 0 for f in o.findings if f.phase == phase and f.verdict is Verdict.DISAGREE
        ]
        wrong += [(o.depth, frozenset({max(layers)}))] if layers else []
    for coarse in _coarser(observations):
        if all(_within(o, phase, coarse) for o in observations) and as_large_as(
            observations, phase, coarse
        ):
            where = f"in the {phase}, first {_in_words(wrong)}"
            noise = is_noise(observations, phase, ask)
            return f"reduced precision {where}, as of {coarse.name}" if noise else ""
    return ""


def is_noise(observations: Sequence[Observation], phase: Phase, ask: Ask) -> bool:
    """Return True if the errors look like rounding: slightly changed data give quite different errors.

    The target runs again with every number of the case changed by a few per cent. The errors before and after must
    not be correlated. Those of a mistake in the equations would be.
    """
    rng = np.random.default_rng(0)
    product = before = after = 0.0
    for observation in [o for o in observations if o.wrong(phase) and o.case.previous is None][:4]:
        case = observation.case

        def changed(array: Array) -> Array:
            factor = 1 + NUDGE * rng.standard_normal(array.shape)
            return np.asarray(array * factor, dtype=array.dtype)

        nudged = replace(
            case,
            params=map_params(changed, case.params),
            inputs=changed(case.inputs),
            targets=changed(case.targets),
        )
        again = Observation(nudged, ask(nudged))
        for one, other in zip(_errors(observation, phase), _errors(again, phase), strict=True):
            product += float(np.sum(one * other))
            before += float(np.sum(one * one))
            after += float(np.sum(other * other))
    return product < 0.5 * np.sqrt(before * after)


def as_large_as(observations: Sequence[Observation], phase: Phase, coarse: Precision) -> bool:
    """Return False if the errors are too small for the format.

    Each place at which a program may round is tried alone. It may be the cause if in most entries that it changes it
    gives no more than twice what is seen: twice, because the errors of a few entries may cancel. Most of the wrong
    tensors must have such a cause.
    """
    caused = []
    for observation in [o for o in observations if o.wrong(phase)]:
        case, shown = observation.case, observation.result
        observed, exact, e = (_shown(step, phase, shown) for step in (shown, *observation.answer))
        seen = [size(c - g) for c, g in zip(observed, exact, strict=True)]
        causes = [False] * len(seen)
        # Activations that are shown, and right, were not rounded.
        forward = phase == "forward" or shown.activations is None
        for step in with_one_rounding(case, coarse, forward=forward):
            found = _shown(step, phase, shown)
            if len(found) != len(exact):
                continue
            alone = [size(one - g) for one, g in zip(found, exact, strict=True)]
            entries = [
                (s >= a / 2, g.size) for s, a, g in zip(seen, alone, exact, strict=True) if a
            ]
            if sum(n for fits, n in entries if fits) > sum(n for _, n in entries) / 2:
                causes = [one or bool(a) for one, a in zip(causes, alone, strict=True)]
        caused += [
            cause
            for cause, c, g, allowed in zip(causes, observed, exact, e, strict=True)
            if np.any(np.abs(c - g) > case.oracle_slack * allowed)
        ]
    return 2 * sum(caused) > len(caused)


def _shown(step: StepValues, phase: Phase, shown: StepValues) -> list[Array]:
    """List a step's activations, gradients, or new weights and arrays, as far as `shown` has them."""
    if phase != "forward":
        return _arrays(step, phase, shown)
    pairs = zip(step.activations or (), shown.activations or (), strict=False)
    return [np.asarray(a) for a, is_shown in pairs if a is not None and is_shown is not None]


def _errors(observation: Observation, phase: Phase) -> list[Array]:
    """Compute result less exact, as shares of the bound, so that all tensors count alike."""
    result = observation.result
    shown = [_shown(step, phase, result) for step in (result, *observation.answer)]
    with np.errstate(all="ignore"):
        errors = [np.asarray((c - g) / e, dtype=np.float64) for c, g, e in zip(*shown, strict=True)]
    return [np.where(np.isfinite(error), error, 0.0) for error in errors]


def _arrays(step: StepValues, phase: Phase, shown: StepValues) -> list[Array]:
    """List the gradients of a step, or its new weights and the optimizer's arrays, as far as `shown` has them."""
    if phase == "gradient":
        return [] if shown.grads is None else tensors(step.grads or ())
    updated = () if shown.updated is None else step.updated or ()
    state = [(step.state or {})[name] for name in shown.state or {}]
    return [tensor for params in (updated, *state) for tensor in tensors(params)]


def leaks(observation: Observation, precision: Precision | None = None) -> list[int]:
    """Find the layers that cause a fault: their activation is wrong, given the target's own activation below.

    With a `precision`, find the layers that are wrong even for a calculation in that format.
    """
    case, found = observation.case, []
    below: Array | None = case.batch[0]
    for index, activation in enumerate(observation.result.activations or ()):
        if below is not None and activation is not None:
            layer, params = case.network.layers[index], (case.params[index],)
            network = Network(below.shape[1:], (layer,))
            single = Case(network, params, below, activation, Schedule(1.0, epochs=1))
            expected, bound = single.expect(precision)
            step = StepValues(activations=[activation])
            findings = judge(params, step, expected, bound, slack=case.oracle_slack)
            if findings[0].verdict is Verdict.DISAGREE:
                found.append(index)
        below = activation
    return found


def _coarser(observations: Sequence[Observation]) -> Iterator[Precision]:
    eps = max(float(np.finfo(o.case.dtype).eps) for o in observations)
    yield from (coarse for coarse in FORMATS if coarse.eps > eps)


def _small_forward(observation: Observation) -> bool:
    pairs: Any = zip(
        observation.result.activations or (), observation.answer[0].activations or (), strict=False
    )
    return all(deviation(a, exact) < SMALL for a, exact in pairs if a is not None)


def _within(observation: Observation, phase: Phase, coarse: Precision) -> bool:
    """Return True if the gradients or updates are right for a calculation in the coarser format, and not far off."""
    case, result = observation.case, observation.result
    step = (
        StepValues(grads=result.grads)
        if phase == "gradient"
        else StepValues(updated=result.updated, state=result.state)
    )
    expected, bound = case.expect(coarse)
    findings = judge(case.params, step, expected, bound, slack=case.oracle_slack)
    pairs = zip(_arrays(result, phase, result), _arrays(expected, phase, result), strict=True)
    return all(f.verdict is not Verdict.DISAGREE for f in findings) and all(
        deviation(c, g) < SMALL
        or np.max(np.abs(g)) < coarse.eta / coarse.eps  # the format has no such numbers
        for c, g in pairs
    )


def _in_words(wrong: Sequence[tuple[int, frozenset[int]]]) -> str:
    """Say where these layers are. Each set of layers comes with the depth of its network."""
    for where, layers in scopes(max(depth for depth, _ in wrong)):
        if all(layers(depth) == these for depth, these in wrong):
            return where
    return "in some layers"
