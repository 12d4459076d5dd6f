"""The class of mistakes that have no algebra: a part that computes in a coarser format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..contract import Network, Schedule, tensors
from .bound import Precision
from .case import Case
from .judge import Phase, Verdict, judge
from .observation import Observation, deviation
from .reference import Array
from .step import Step

_FLOAT32 = Precision.of(np.float32)
FORMATS = (
    _FLOAT32,
    Precision("TF32", 2.0**-10, _FLOAT32.eta, _FLOAT32.largest),
    Precision.of(np.float16),
    Precision("bfloat16", 2.0**-7, _FLOAT32.eta, _FLOAT32.largest),
)
"""Formats in which a part of a program may compute by mistake, the finest first."""

SMALL = 2e-2
"""Relative deviation up to which a result may be called imprecise: above it, no format in `FORMATS` explains it."""


def reduced_forward(observations: Sequence[Observation]) -> str:
    """Which layers compute their activations in a coarser format, in words; empty if that explains nothing."""
    places = {(o.depth, layer) for o in observations for layer in leaks(o)}
    everywhere = {(o.depth, layer) for o in observations for layer in range(o.depth)}
    for coarse in _coarser(observations):
        if not any(leaks(o, coarse) for o in observations) and all(
            map(_small_forward, observations)
        ):
            where = "every layer" if places == everywhere else _in_words({at for _, at in places})
            return f"reduced precision in {where}, as of {coarse.name}"
    return ""


def reduced_gradient(observations: Sequence[Observation], phase: Phase) -> str:
    """From which layer down gradients, or updates, are computed in a coarser format; empty if that explains nothing."""
    highest = {
        max(layers) - o.depth
        for o in observations
        if (
            layers := [
                f.layer
                for f in o.findings
                if f.layer is not None and f.phase == phase and f.verdict is Verdict.DISAGREE
            ]
        )
    }
    for coarse in _coarser(observations):
        if all(_within(o, phase, coarse) for o in observations):
            last = max(o.depth for o in observations)
            where = (
                "the output layer" if highest == {-1} else _in_words({last + k for k in highest})
            )
            return f"reduced precision in the {phase} of {where} and below, as of {coarse.name}"
    return ""


def leaks(observation: Observation, precision: Precision | None = None) -> list[int]:
    """The layers whose activation is wrong given the target's own activation below: where a fault sits.

    With a `precision`, the layers that are wrong even for a calculation in that format.
    """
    case, found = observation.case, []
    below: Array | None = case.batch[0]
    for index, activation in enumerate(observation.seen.activations or ()):
        if below is not None and activation is not None:
            layer, params = case.network.layers[index], (case.params[index],)
            network = Network((below.shape[1],), (layer,))
            single = Case(network, params, below, activation, Schedule(1.0, epochs=1))
            expected, bound = single.expect(precision)
            step = Step(activations=[activation])
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
        observation.seen.activations or (), observation.answer[0].activations or (), strict=False
    )
    return all(deviation(a, exact) < SMALL for a, exact in pairs if a is not None)


def _within(observation: Observation, phase: Phase, coarse: Precision) -> bool:
    """Whether the gradients or updates are as right as a calculation in the coarser format, and not far off."""
    case, seen = observation.case, observation.seen
    step = Step(grads=seen.grads) if phase == "gradient" else Step(updated=seen.updated)
    expected, bound = case.expect(coarse)
    findings = judge(case.params, step, expected, bound, slack=case.oracle_slack)
    shown, exact = step.grads or step.updated, expected.grads
    if phase == "update":
        exact = expected.updated
    return all(f.verdict is not Verdict.DISAGREE for f in findings) and (
        shown is None
        or all(
            deviation(c, g) < SMALL
            for c, g in zip(tensors(shown), tensors(exact or ()), strict=True)
        )
    )


def _in_words(layers: set[int]) -> str:
    names = ", ".join(map(str, sorted(layers)))
    return f"layer {names}" if len(layers) == 1 else f"layers {names}"
