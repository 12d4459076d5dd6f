"""Find the mistakes that predict what was observed.

A name is accepted only if its prediction fits every tensor of every observation within the bound, including the
tensors that are right. This proves that on these data the program computes the same as a program with the mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..contract import Params, tensors
from ..reference.passes import RIGHT
from ..verdict.judge import Phase
from ..verdict.observation import Observation
from .evidence import Evidence
from .mistakes import (
    FACTORS,
    FORWARD,
    GRADIENT,
    UNIT,
    UPDATE,
    Applies,
    Factor,
    ForwardMistake,
    LayerMistake,
    Layers,
    Mistake,
    Program,
    layers_where,
    scopes,
)
from .names import ForwardName, LayersByDepth, Name, nowhere


def forward_names(observations: Sequence[Observation]) -> Iterator[ForwardName]:
    """Yield the mistakes that predict the activations."""
    for mistake, where, layers in _scoped(FORWARD, observations):
        name = ForwardName(mistake, where, layers)
        if all(_predicts(name, observation) for observation in observations):
            yield name


def _predicts(name: ForwardName, observation: Observation) -> bool:
    observed = observation.result.activations
    if observed is None:
        return True
    try:
        found = observation.case.evaluate_exactly(name.equations(observation.depth))
    except ValueError:  # shapes that do not fit: the mistake cannot be made here
        found = observation.case.evaluate_exactly()
    predicted = found.activations[1:]
    columns: Any = (observed, predicted, *(step.activations or () for step in observation.answer))
    shown = [at for at, activation in enumerate(observed) if activation is not None]
    observed, predicted, exact, bound = ([column[at] for at in shown] for column in columns)
    return observation.left_over(observed, predicted, exact, bound) <= 1


def gradient_names(
    observations: Sequence[Observation], phase: Phase, bases: Sequence[ForwardName | None]
) -> Iterator[Name]:
    """Yield the mistakes that predict the gradients shown (phase `gradient`), or the updates (phase `update`).

    Each is tried alone and with a factor, together with each of `bases`; the simplest come first.
    """
    usable = _usable(observations, phase)
    if not usable:
        return
    # If a factor alone, or the mistake in the forward pass, explains the gradients, no further mistake is needed.
    plain = [name for base in bases for name in _fitting(usable, base, None, "", nowhere)]
    yield from plain
    if plain:
        return
    catalogue = GRADIENT if phase == "gradient" else (*UPDATE, *GRADIENT)
    for base in bases:
        named = set()
        for mistake, where, layers in _scoped(catalogue, [o for o, _ in usable]):
            # A mistake that fits in several scopes is the same in all: the bottom layer passes nothing down, say.
            if mistake not in named:
                for name in _fitting(usable, base, mistake, where, layers):
                    named.add(mistake)
                    yield name


def fits(
    observations: Sequence[Observation],
    phase: Phase,
    mistake: Mistake | None,
    layers: LayersByDepth,
    factor: str,
) -> bool:
    """Return True if exactly this mistake with this factor predicts the gradients."""
    usable = _usable(observations, phase)
    found = list(_fitting(usable, None, mistake, "", layers)) if usable else []
    return any(same_factor(name.factor, factor, observations) for name in found)


def same_factor(factor: Factor, name: str, observations: Sequence[Observation]) -> bool:
    """Return True if the factor has the value of the named one on all these observations, as N and N·outputs may."""
    known = {f.name: f for f in (*FACTORS, *map(_negative, FACTORS))}
    return all(
        np.isclose(factor.value(*o.elements), known[name].value(*o.elements)) for o in observations
    )


def _usable(
    observations: Sequence[Observation], phase: Phase
) -> list[tuple[Observation, Evidence]]:
    """Sort the observations with evidence: wrong ones first, and the sharpest first, because they exclude the most."""
    pairs = [(observation, Evidence.of(observation, phase)) for observation in observations]
    usable = [(observation, evidence) for observation, evidence in pairs if evidence is not None]
    return sorted(usable, key=lambda pair: (not pair[0].wrong(phase), pair[1].blur))


def _scoped(
    catalogue: Sequence[Any], observations: Sequence[Observation]
) -> Iterator[tuple[Any, str, LayersByDepth]]:
    """Yield each mistake in each scope of these networks. No two scopes are the same layers in all networks."""
    networks = list(dict.fromkeys(observation.case.network for observation in observations))
    depths = [len(network.layers) for network in networks]
    everywhere = [
        (where, layers, list(map(layers, depths))) for where, layers in scopes(max(depths))
    ]
    kinds: dict[Applies, list[Layers]] = {}
    for mistake in catalogue:
        if not isinstance(mistake, ForwardMistake | LayerMistake):
            yield mistake, "", nowhere
            continue
        if mistake.applies not in kinds:
            kinds[mistake.applies] = [layers_where(n, mistake.applies) for n in networks]
        distinct: dict[tuple[Layers, ...], tuple[str, LayersByDepth]] = {}
        for where, layers, found in everywhere:
            made = zip(found, kinds[mistake.applies], strict=True)
            distinct.setdefault(tuple(one & kind for one, kind in made), (where, layers))
        distinct.pop(tuple(frozenset() for _ in depths), None)
        for where, layers in distinct.values():
            yield mistake, where, layers


def _fitting(
    usable: Sequence[tuple[Observation, Evidence]],
    base: ForwardName | None,
    mistake: Mistake | None,
    where: str,
    layers: LayersByDepth,
) -> Iterator[Name]:
    """Yield the name of this mistake with the simplest factor that fits everywhere, if any does."""

    def predict(observation: Observation, scale: float) -> Params | None:
        equations = RIGHT if base is None else base.equations(observation.depth)
        program = Program(observation.case, equations, layers(observation.depth), scale)
        found = program.run() if mistake is None else mistake.predict(program)
        return None if found is None else found.grads

    linear = mistake is None or mistake.linear
    left: dict[Factor, float] | None = None
    made = mistake is None
    for observation, evidence in usable:
        once = predict(observation, 1.0) if linear else None
        if left is None:
            left = dict.fromkeys(_factors(observation, evidence, once, mistake), 0.0)
        roundings = 1 if mistake is None else mistake.roundings(observation.case)
        for factor in list(left):
            value = factor.value(*observation.elements)
            prediction = once if linear else predict(observation, value)
            if prediction is None:
                # The mistake cannot be made here, so a fault in this observation must be another one.
                share = evidence.share_if_right(value, roundings)
            else:
                made = True
                share = evidence.share(prediction, value, mistake, roundings)
            if share <= 1:
                left[factor] = max(left[factor], share)
            else:
                del left[factor]
        if not left:
            return
    if left and made:
        factor, share = next(iter(left.items()))
        yield Name(mistake, where, layers, factor, base, share)


def _factors(
    observation: Observation,
    evidence: Evidence,
    prediction: Params | None,
    mistake: Mistake | None,
) -> Sequence[Factor]:
    """List the factors worth trying, judging by the first observation."""
    known = (*FACTORS, *map(_negative, FACTORS))
    if not evidence.of_gradients:
        return [UNIT]
    if prediction is not None:
        k = evidence.fit(tensors(prediction))
    elif isinstance(mistake, LayerMistake):
        # Other gradients may depend on the factor, but the output layer's are proportional to it and show it.
        last = observation.case.network.layers[-1]
        k = evidence.fit(evidence.exact, last=2 if last.bias else 1)
    else:
        return known
    if k is None:
        return [UNIT]
    near = [f for f in known if abs(f.value(*observation.elements) - k) <= 1e-2 * abs(k)]
    return near or [_times(k / f.value(*observation.elements), f) for f in FACTORS]


def _times(k: float, factor: Factor) -> Factor:
    name = f"{k:.6g}" if factor is UNIT else f"{k:.6g}·{factor.name}"
    unknown = "no factor that is known here (a learning rate of its own?)"
    return Factor(name, lambda n, o: k * factor.value(n, o), unknown)


def _negative(factor: Factor) -> Factor:
    meaning = "the sign is wrong" + (f", and {factor.meaning}" if factor.meaning else "")
    return Factor(f"-{factor.name}", lambda n, o: -factor.value(n, o), meaning)
