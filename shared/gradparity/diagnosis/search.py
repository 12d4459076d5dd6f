"""Find the mistakes that predict what was observed.

A name is accepted only if its prediction fits every tensor of every observation within the bound, including the
tensors that are right. This proves that on these data the program computes the same as a program with the mistake.
Single mistakes come first, then two at once, as `layerwise` proposes them, then one of each optimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, get_args

import numpy as np

from ..contract import Optimizer, Params, Schedule, tensors
from ..reference.passes import RIGHT
from ..verdict.judge import RESOLUTION, Phase
from ..verdict.observation import STEEPER, Observation
from .evidence import Evidence
from .layerwise import LayerwiseSearch, Place, Proposal
from .mistakes import (
    FACTORS,
    FORWARD,
    GRADIENT,
    UNIT,
    UPDATE,
    Factor,
    ForwardMistake,
    LayerMistake,
    Layers,
    Mistake,
    OptimizerMistake,
    StepMistake,
    scopes,
)
from .names import ForwardName, LayersByDepth, Made, Name, nowhere, predicted

Usable = Sequence[tuple[Observation, Evidence]]
"""The observations with evidence: wrong ones first, and the sharpest first, because they exclude the most."""

_NETWORKS = 4
"""The largest number of networks from which two mistakes are proposed."""


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

    Each is tried alone and with a factor, together with each of `bases`. Two mistakes are tried only if no single one
    fits.
    """
    usable = _usable(observations, phase)
    if not usable:
        return
    # If a factor alone, or the mistake in the forward pass, explains the gradients, no further mistake is needed.
    plain = [name for base in bases for name in _fitting(usable, base, ())]
    yield from plain
    if plain:
        return
    catalogue = GRADIENT if phase == "gradient" else (*UPDATE, *GRADIENT)
    single = [name for base in bases for name in _single(usable, base, catalogue)]
    yield from single
    if single or not all(_finite(evidence) for _, evidence in usable):
        return  # everything predicts a NaN equally badly
    several = [name for base in bases for name in _several(usable, base, catalogue)]
    yield from several
    if phase == "update" and not several:
        yield from _by_optimizer(usable)


def _finite(evidence: Evidence) -> bool:
    """Return True if every tensor shows some number."""
    return all(bool(np.any(np.isfinite(tensor))) for tensor in evidence.observed)


def _by_optimizer(usable: Usable) -> Iterator[Name]:
    """Yield the mistakes of several optimizers together, if each wrong one has a mistake of its own that fits."""
    mistakes = [mistake for mistake in UPDATE if isinstance(mistake, OptimizerMistake)]
    made: list[Made] = []
    share = 0.0
    for kind in get_args(Optimizer):
        its = [(o, e) for o, e in usable if isinstance(o.case.schedule.optimizer, kind)]
        if all(e.is_right for _, e in its):
            continue
        name = next(_single(its, None, mistakes), None)
        if name is None:
            return
        made += [_only_with(kind, one) for one in name.made]
        share = max(share, name.share)
    if len(made) > 1:
        yield Name(tuple(made), UNIT, None, share)


def _only_with(kind: type[Optimizer], made: Made) -> Made:
    mistake, uses = made.mistake, _uses(kind)
    assert isinstance(mistake, OptimizerMistake)
    applies = mistake.applies
    only = replace(mistake, applies=lambda schedule: uses(schedule) and applies(schedule))
    return Made(only, made.where)


def _single(
    usable: Usable, base: ForwardName | None, catalogue: Sequence[Mistake]
) -> Iterator[Name]:
    """Yield the single mistakes that fit, each in the first of its scopes that fits."""
    named = set()
    for mistake, where, layers in _scoped(catalogue, [o for o, _ in usable]):
        # A mistake that fits in several scopes is the same in all of them.
        if mistake.name not in named:
            for name in _fitting(usable, base, (Made(mistake, where, layers),)):
                named.add(mistake.name)
                yield name


def _several(
    usable: Usable, base: ForwardName | None, catalogue: Sequence[Mistake]
) -> Iterator[Name]:
    """Yield the names of the fewest mistakes that fit, up to two, made in any layers."""
    found: dict[frozenset[str], Name] = {}
    for proposals in _proposals(usable, base, catalogue):
        for proposal in proposals:
            called = {place.mistake.name for place in proposal.places}
            key = frozenset(called | ({proposal.step.name} if proposal.step else set()))
            if key not in found:
                for made in _made(proposal, usable):
                    name = next(_fitting(usable, base, made), None)
                    if name is not None:
                        found[key] = name
                        break
        if found:
            break
    fewest = min((len(name.made) for name in found.values()), default=0)
    yield from (name for name in found.values() if len(name.made) == fewest)


def _proposals(
    usable: Usable, base: ForwardName | None, catalogue: Sequence[Mistake]
) -> Iterator[list[Proposal]]:
    """Propose mistakes from a few networks, the deepest first; none if one of these networks has no explanation."""
    by_layer = [mistake for mistake in catalogue if isinstance(mistake, LayerMistake)]
    steps = [m for m in catalogue if isinstance(m, StepMistake) and m.linear]
    wrong = {
        o.case.network: (o, e) for o, e in reversed(usable) if e.of_gradients and not e.is_right
    }
    deepest = sorted(wrong.values(), key=lambda pair: -len(pair[1].observed))
    for observation, evidence in deepest[:_NETWORKS]:
        equations = RIGHT if base is None else base.equations(observation.depth)
        search = LayerwiseSearch(observation, evidence, equations, by_layer)
        found = [one for step in (None, *steps) for one in search.proposals(step)]
        if not found:
            return
        yield sorted(found, key=lambda one: len(one.places) + (one.step is not None))


def _made(proposal: Proposal, usable: Usable) -> Iterator[tuple[Made, ...]]:
    """Yield the scopes, in words, in which the proposed mistakes may be made in all networks."""
    depths = {o.depth for o, _ in usable}
    last = () if proposal.step is None else (Made(proposal.step),)
    for places in product(
        *(_scopes_of(place, proposal.depth, depths) for place in proposal.places)
    ):
        yield (*places, *last)


def _scopes_of(place: Place, depth: int, depths: set[int]) -> list[Made]:
    """List the scopes that are the proposed layers, as far as the network shows the mistake; the exact ones first."""
    fit = [
        (layers(depth) != place.layers, where, layers)
        for where, layers in scopes(max(depths))
        if layers(depth) & place.shown == place.layers
    ]
    chosen = sorted(fit, key=lambda one: one[0])
    if depths == {depth}:
        chosen = chosen[:1]
    made = [Made(place.mistake, where, layers) for _, where, layers in chosen]
    if not chosen or chosen[0][0]:
        made.append(Made(place.mistake, _listed(place.layers), _those(place.layers)))
    return made


def _listed(layers: Layers) -> str:
    numbers = [str(k + 1) for k in sorted(layers)]
    if len(numbers) == 1:
        return f"in layer {numbers[0]}"
    return f"in layers {', '.join(numbers[:-1])} and {numbers[-1]}"


def _those(layers: Layers) -> LayersByDepth:
    return lambda depth: layers & frozenset(range(depth))


def fits(
    observations: Sequence[Observation],
    phase: Phase,
    mistake: Mistake | None,
    layers: LayersByDepth,
    factor: str,
) -> bool:
    """Return True if exactly this mistake with this factor predicts the gradients."""
    usable = _usable(observations, phase)
    made = () if mistake is None else (Made(mistake, "", layers),)
    found = list(_fitting(usable, None, made)) if usable else []
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
    """Sort the observations with evidence: wrong ones first, and the sharpest first, because they exclude the most.

    Evidence so dim that the rounding allowed in a prediction hides a mistake fits many names, and is left out.
    """
    pairs = [(observation, Evidence.of(observation, phase)) for observation in observations]
    usable = [
        (observation, evidence)
        for observation, evidence in pairs
        if evidence is not None and STEEPER**observation.depth * evidence.dimness <= RESOLUTION
    ]
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
    schedules = [observation.case.schedule for observation in observations]
    for mistake in catalogue:
        if isinstance(mistake, OptimizerMistake):
            yield from ((one, where, nowhere) for one, where in _conditional(mistake, schedules))
        elif isinstance(mistake, ForwardMistake | LayerMistake):
            possible = [mistake.possible(network) for network in networks]
            distinct: dict[tuple[Layers, ...], tuple[str, LayersByDepth]] = {}
            # The words that say exactly where the mistake is made come before those that say more.
            for exactly in (True, False):
                for where, layers, found in everywhere:
                    made = tuple(one & those for one, those in zip(found, possible, strict=True))
                    if any(made) and (not exactly or made == tuple(found)):
                        distinct.setdefault(made, (where, layers))
            for where, layers in distinct.values():
                yield mistake, where, layers
        else:
            yield mistake, "", nowhere


def _conditions() -> dict[str, Callable[[Schedule], bool]]:
    """List where a mistake of an optimizer may be made: a program may leave the rest to code that is right."""
    return {
        "": lambda _: True,
        "where there is no weight decay": lambda schedule: not schedule.weight_decay,
        "where there is weight decay": lambda schedule: bool(schedule.weight_decay),
        "where the weight decay is coupled": lambda s: bool(s.weight_decay) and not s.decoupled,
        "where the weight decay is decoupled": lambda s: bool(s.weight_decay) and s.decoupled,
        **{f"with {kind.__name__}": _uses(kind) for kind in get_args(Optimizer)},
    }


def _uses(kind: type[Optimizer]) -> Callable[[Schedule], bool]:
    return lambda schedule: isinstance(schedule.optimizer, kind)


def _conditional(
    mistake: OptimizerMistake, schedules: Sequence[Schedule]
) -> Iterator[tuple[OptimizerMistake, str]]:
    """Yield the mistake under each condition, no two of which hold for the same of these schedules."""
    distinct: dict[tuple[bool, ...], tuple[OptimizerMistake, str]] = {}
    for where, holds in _conditions().items():

        def applies(schedule: Schedule, holds: Callable[[Schedule], bool] = holds) -> bool:
            return mistake.applies(schedule) and holds(schedule)

        key = tuple(map(applies, schedules))
        if any(key):
            distinct.setdefault(key, (replace(mistake, applies=applies), where))
    yield from distinct.values()


def _fitting(usable: Usable, base: ForwardName | None, made: tuple[Made, ...]) -> Iterator[Name]:
    """Yield the name of these mistakes with the simplest factor that fits everywhere, if any does."""

    def predict(observation: Observation, scale: float) -> Params | None:
        found = predicted(made, base, observation, scale)
        return None if found is None else found.grads

    linear = all(one.mistake.linear for one in made)
    left: dict[Factor, float] | None = None
    possible = not made
    for observation, evidence in usable:
        once = predict(observation, 1.0) if linear else None
        if left is None:
            left = dict.fromkeys(_factors(observation, evidence, once, made), 0.0)
        roundings = max((one.mistake.roundings(observation.case) for one in made), default=1)
        rules = [m.mistake for m in made if isinstance(m.mistake, OptimizerMistake)]
        rule = next((one for one in rules if one.applies(observation.case.schedule)), None)
        for factor in list(left):
            value = factor.value(*observation.elements)
            prediction = once if linear else predict(observation, value)
            if prediction is None:
                # The mistake cannot be made here, so a fault in this observation must be another one.
                share = evidence.share_if_right(value, roundings)
            else:
                possible = True
                share = evidence.share(prediction, value, rule, roundings)
            if share <= 1:
                left[factor] = max(left[factor], share)
            else:
                del left[factor]
        if not left:
            return
    if left and possible:
        factor, share = next(iter(left.items()))
        yield Name(made, factor, base, share)


def _factors(
    observation: Observation,
    evidence: Evidence,
    prediction: Params | None,
    made: tuple[Made, ...],
) -> Sequence[Factor]:
    """List the factors worth trying, judging by the first observation: the known ones near it, then it as it is."""
    known = (*FACTORS, *map(_negative, FACTORS))
    if not evidence.of_gradients:
        return [UNIT]
    if prediction is not None:
        k = evidence.fit(tensors(prediction))
    elif made and all(isinstance(one.mistake, LayerMistake) for one in made):
        # Other gradients may depend on the factor, but the output layer's are proportional to it and show it.
        last = observation.case.network.layers[-1]
        k = evidence.fit(evidence.exact, last=2 if last.bias else 1)
    else:
        return known
    if k is None:
        return [UNIT]
    near = [f for f in known if abs(f.value(*observation.elements) - k) <= 1e-2 * abs(k)]
    return [*near, *(_times(k / f.value(*observation.elements), f) for f in FACTORS)]


def _times(k: float, factor: Factor) -> Factor:
    number = f"{k:.6g}" if f"{k:.6g}" != "1" else f"(1 {'+' if k > 1 else '-'} {abs(k - 1):.2g})"
    name = number if factor is UNIT else f"{number}·{factor.name}"
    unknown = "no factor that is known here (a learning rate of its own?)"
    return Factor(name, lambda n, o: k * factor.value(n, o), unknown)


def _negative(factor: Factor) -> Factor:
    meaning = "the sign is wrong" + (f", and {factor.meaning}" if factor.meaning else "")
    return Factor(f"-{factor.name}", lambda n, o: -factor.value(n, o), meaning)
