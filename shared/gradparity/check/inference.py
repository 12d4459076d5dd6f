"""Infer a target's convention from what it shows: first from its forward pass, then its loss, then its gradient."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, product
from typing import Any

import numpy as np

from ..contract import tensors
from ..diagnosis.evidence import Evidence
from ..diagnosis.mistakes import FACTORS, UNIT, Factor, plain
from ..verdict.judge import Phase, Verdict
from ..verdict.observation import Observation
from .convention import PLAIN, Convention, Penalty, is_assignments
from .target import ACTIVATIONS, Limits

HIDDEN = tuple(name for name in ACTIVATIONS if name != "softmax")
"""The activations of hidden layers; the output layer may have any."""

LOSSES = {
    "sigmoid": ("", "binary_cross_entropy_of_probabilities"),
    "softmax": ("", "cross_entropy_of_probabilities", "binary_cross_entropy_of_probabilities"),
    "identity": ("", "binary_cross_entropy", "softmax_cross_entropy"),
}
"""The losses that go with an output layer's activation; the empty name is the network's own."""

TITLES = {
    "": "the MSE",
    "binary_cross_entropy": "the binary cross-entropy",
    "binary_cross_entropy_of_probabilities": "the binary cross-entropy",
    "softmax_cross_entropy": "the cross-entropy",
    "cross_entropy_of_probabilities": "the cross-entropy",
}
"""Each loss in running text; the empty name is the network's own."""

_FEW_LAYERS = 4
"""In a network of so few layers, each may have another activation."""

_FEW = 8
_NEAR = 1e-3


def conventions(limits: Limits, observations: Sequence[Observation]) -> Iterator[Convention]:
    """Yield the conventions that a target may follow, the likeliest first; at least one.

    A convention is yielded if the forward pass and the loss that are told fit it in a few observations, and if the
    output layer's gradients do, up to a factor. If none fits in all of these, those that fit in the first are yielded.
    """
    chosen = few(observations)
    losses: list[Convention] = []
    for network in _networks(limits, chosen):
        possible, fitting = _losses(limits, network, chosen)
        if fitting or not losses:
            losses = fitting or possible
        if fitting:
            break
    if limits.per_sample:
        losses = [replace(one, per_sample=True) for one in losses]
    factored = [one for loss in losses for one in _factors(limits, loss, chosen)]
    yield from factored or losses


def few(observations: Sequence[Observation]) -> list[Observation]:
    """Choose observations of different networks that show much: several samples, and a known loss."""
    chosen: dict[Any, Observation] = {}
    for o in observations:
        finite = o.result.loss is None or bool(np.isfinite(o.result.loss))
        if is_assignments(o.case.network) and o.elements[0] > 1 and finite:
            chosen.setdefault((o.case.network, o.elements), o)
    return sorted(chosen.values(), key=blur)[:_FEW] or list(observations[:_FEW])


def blur(observation: Observation) -> float:
    """Return the largest bound on a gradient, relative to the gradient: the smaller, the more it shows."""
    expected, bound = observation.answer
    with np.errstate(all="ignore"):
        ratios = [
            float(np.max(e) / np.max(np.abs(g)))
            for g, e in zip(tensors(expected.grads or ()), tensors(bound.grads or ()), strict=True)
        ]
    return max((r if np.isfinite(r) else np.inf for r in ratios), default=np.inf)


def fits(
    convention: Convention,
    observations: Sequence[Observation],
    *phases: Phase,
    at_the_output: bool = False,
) -> bool:
    """Return True if these phases show something, and nothing that disagrees; `at_the_output`: in the output layer."""
    found = {
        f.verdict
        for o in observations
        for f in convention.under(o).findings
        if f.phase in phases and (not at_the_output or f.layer == o.depth - 1)
    }
    return Verdict.AGREE in found and Verdict.DISAGREE not in found


def _networks(limits: Limits, chosen: Sequence[Observation]) -> Iterator[Convention]:
    """Yield those that the forward pass fits; the assignment's own if nothing fits.

    If no activations are shown, all are possible, and the loss decides.
    """
    if limits.activations is not None:
        yield Convention(limits.activations)
        return
    shown = [o for o in chosen if o.result.activations is not None]
    alternatives: Iterator[Convention] = (
        _of((h, output)) for output in ACTIVATIONS for h in HIDDEN
    )
    if not shown:
        yield from alternatives if any(o.result.loss is not None for o in chosen) else [PLAIN]
        return
    depth = shown[0].depth
    if limits.widths is not None and 2 < depth <= _FEW_LAYERS:
        each = product(*[HIDDEN] * (depth - 1), ACTIVATIONS)
        alternatives = chain(alternatives, (Convention(names) for names in each))
    fitting = (
        one
        for one in alternatives
        if fits(one, shown[:1], "forward") and fits(one, shown, "forward")
    )
    yield next(fitting, PLAIN)


def _of(activations: tuple[str, str]) -> Convention:
    return PLAIN if activations == ("sigmoid", "sigmoid") else Convention(activations)


def _losses(
    limits: Limits, network: Convention, chosen: Sequence[Observation]
) -> tuple[list[Convention], list[Convention]]:
    """Return the network with each loss that is possible, and those among them that fit the loss which is told.

    If none is told, another loss than the assignment's is taken only from a statement in the adapter.
    """
    output = network.activations[-1] if network.activations else "sigmoid"
    kinds = LOSSES.get(output, ("",)) if limits.loss is None else (limits.loss,)
    alternatives = [replace(network, loss=kind) for kind in kinds]
    if limits.penalty:
        alternatives = [replace(one, penalty=Penalty(limits.penalty)) for one in alternatives]
    told = [o for o in chosen if o.result.loss is not None]
    if not told:
        return alternatives[:1], alternatives[:1]
    for variants in (_loss_factors, _penalties, _guards):  # the simplest that fits
        fitting = [
            candidate
            for alternative in alternatives
            for candidate in variants(alternative, told)
            if fits(candidate, told, "loss")
        ]
        if fitting:
            return alternatives, fitting
    return alternatives, []


def nearest(network: Convention, observations: Sequence[Observation]) -> str:
    """Name the known loss that is nearest to the one that is told, and how near it is; empty if none is near."""
    told = [o for o in few(observations) if o.result.loss is not None]
    output = network.activations[-1] if network.activations else "sigmoid"
    near: list[tuple[float, str]] = []
    for kind in LOSSES.get(output, ("",)):
        alternative = replace(network, loss=kind)
        values = [_loss(alternative, o) for o in told]
        for factor in FACTORS:
            differences = [
                float(abs(o.result.loss / (factor.value(*o.elements) * value) - 1))
                for o, value in zip(told, values, strict=True)
            ]
            times = "" if factor is UNIT else f"{factor.name} times "
            near.append((max(differences, default=np.inf), f"{times}{TITLES[alternative.loss]}"))
    difference, name = min(near, key=lambda one: one[0])
    return f"within {difference:.1g} of {name}" if difference < _NEAR else ""


def _loss_factors(convention: Convention, told: Sequence[Observation]) -> Iterator[Convention]:
    values = [_loss(convention, o) for o in told]
    for factor in FACTORS:
        if all(
            abs(value * factor.value(*o.elements) - o.result.loss) <= _NEAR * abs(o.result.loss)
            for o, value in zip(told, values, strict=True)
        ):
            yield replace(convention, loss_factor=factor)


def _loss(convention: Convention, observation: Observation) -> Any:
    """Return the loss, in the oracle's precision."""
    case = convention.case(observation.case)
    penalty = convention.penalty
    return case.evaluate_exactly().loss + (0 if penalty is None else penalty.value(case))


def _guards(convention: Convention, told: Sequence[Observation]) -> Iterator[Convention]:
    """Yield the convention with logarithms of p + ε, for the usual ε."""
    if not convention.loss.endswith("_of_probabilities"):
        return
    for factored in _loss_factors(convention, told):
        yield from (replace(factored, guard=10.0**-digits) for digits in range(3, 17))


def _penalties(convention: Convention, told: Sequence[Observation]) -> Iterator[Convention]:
    """Yield the convention with the penalty that explains what is added to the loss everywhere."""
    if convention.penalty is not None or len(told) < 2:
        return
    values = [_loss(convention, o) for o in told]
    for factor in FACTORS[:3]:
        added = [
            o.result.loss - factor.value(*o.elements) * value
            for o, value in zip(told, values, strict=True)
        ]
        if min(added) <= 0:
            continue
        for biases in (False, True):
            for averaged in (False, True):
                unit = Penalty(1.0, averaged, biases)
                cases = [convention.case(o.case) for o in told]
                with np.errstate(all="ignore"):
                    strengths = [
                        float(a / unit.value(case)) for a, case in zip(added, cases, strict=True)
                    ]
                middle = float(np.median(strengths))
                if np.ptp(strengths) <= _NEAR**2 * middle:
                    penalty = replace(unit, strength=float(f"{middle:.8g}"))
                    yield replace(convention, loss_factor=factor, penalty=penalty)


def _factors(
    limits: Limits, convention: Convention, chosen: Sequence[Observation]
) -> Iterator[Convention]:
    """Yield the convention with each factor that the output layer's gradients fit; also with updates by sample."""
    shows = [o for o in chosen if o.result.grads is not None or o.result.updated is not None]
    if not shows:
        yield convention
        return
    phase: Phase = "gradient" if shows[0].result.grads is not None else "update"
    told = any(o.result.loss is not None for o in chosen)
    if not limits.per_sample:
        # With a penalty, another factor than the loss's is no multiple of its gradient.
        factors = [convention.loss_factor] if told and convention.penalty else FACTORS
        for factor in factors:
            one = replace(convention, factor=factor)
            if _near(one, shows, phase) and fits(one, shows, phase, at_the_output=True):
                yield one
                return
    if phase == "update" and all(plain(o.case.schedule) for o in shows):
        known: dict[tuple[float, ...], Factor] = {}
        for factor in FACTORS:  # with one sample, many are the same
            known.setdefault(tuple(factor.value(1, o.elements[1]) for o in shows), factor)
        for factor in known.values():
            one = replace(convention, factor=factor, per_sample=True)
            if fits(one, shows, phase, at_the_output=True):
                yield one
                return


def _near(convention: Convention, shows: Sequence[Observation], phase: Phase) -> bool:
    """Return True if the output layer's gradients have about the size that the factor would give them."""
    for o in shows:
        evidence = Evidence.of(replace(convention, factor=UNIT).unscaled(o), phase)
        if evidence is not None and evidence.of_gradients:
            last = 2 if o.case.network.layers[-1].bias else 1
            k = evidence.fit(evidence.exact, last=last)
            value = convention.factor.value(*o.elements)
            if k is not None and abs(k - value) > _NEAR * abs(value):
                return False
    return True
