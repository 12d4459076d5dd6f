"""Name the mistakes that predict what was seen.

A name is accepted only if its prediction fits every tensor of every observation, the right ones too, within the
bound: it is a proof that on these data the program computes what the mistake would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..contract import Params, Schedule, map_params, tensors
from ..reference.layers import Array
from ..reference.passes import RIGHT, Equations, cast
from ..reference.updates import Update, apply_update, update_tensor
from ..verdict.case import Case
from ..verdict.judge import Phase
from ..verdict.observation import Observation, deviation
from .mistakes import (
    FACTORS,
    FORWARD,
    GRADIENT,
    UNIT,
    UPDATE,
    Applies,
    Factor,
    ForwardMistake,
    Layers,
    Mistake,
    layers_where,
    plain,
    run,
    scopes,
)

Place = Callable[[int], Layers]


@dataclass(frozen=True)
class ForwardName:
    """A mistake in the forward pass, and where: in words, and the layers by the network's depth."""

    mistake: ForwardMistake
    where: str
    layers: Place

    def equations(self, depth: int) -> Equations:
        """The equations of a network of this depth with this mistake."""
        return self.mistake.equations(self.layers(depth))

    def __str__(self) -> str:
        return f"{self.mistake.name} {self.where}"


@dataclass(frozen=True)
class Name:
    """What explains the gradients.

    Attributes:
        mistake: None for a mere factor.
        where: the layers, in words; empty for a mistake that is not made by layer.
        layers: the same, by the network's depth.
        factor: on top of it.
        forward: the mistake in the forward pass that it comes on top of.
        share: of the bound, left over when all this is undone.
    """

    mistake: Mistake | None
    where: str
    layers: Place
    factor: Factor
    forward: ForwardName | None
    share: float

    def predicted_loss(self, observation: Observation) -> Any:
        """The loss that a program with this mistake would tell; None where it cannot be made."""
        equations = RIGHT if self.forward is None else self.forward.equations(observation.depth)
        if self.mistake is None:
            return run(observation.case, equations).loss
        value = self.factor.value(*observation.elements)
        layers = self.layers(observation.depth)
        found = self.mistake.predict(observation.case, equations, layers, value)
        return None if found is None else found.loss

    def __str__(self) -> str:
        parts = [] if self.forward is None else [str(self.forward)]
        if self.mistake is not None:
            parts.append(f"{self.mistake.name} {self.where}".strip())
        if self.factor is not UNIT:
            parts.append(f"the gradient is multiplied by {self.factor.name}: {self.factor.meaning}")
        return "; ".join(parts)


def forward_names(observations: Sequence[Observation]) -> Iterator[ForwardName]:
    """The mistakes that predict the activations."""
    for mistake, where, layers in _places(FORWARD, observations):
        name = ForwardName(mistake, where, layers)
        if all(_predicts(name, observation) for observation in observations):
            yield name


def _predicts(name: ForwardName, observation: Observation) -> bool:
    seen = observation.seen.activations
    if seen is None:
        return True
    try:
        predicted = run(observation.case, name.equations(observation.depth)).activations[1:]
    except ValueError:  # shapes that do not fit: the mistake cannot be made here
        predicted = run(observation.case, RIGHT).activations[1:]
    columns: Any = (seen, predicted, *(step.activations or () for step in observation.answer))
    shown = [at for at, activation in enumerate(seen) if activation is not None]
    seen, predicted, exact, bound = ([column[at] for at in shown] for column in columns)
    return observation.left_over(seen, predicted, exact, bound) <= 1


def gradient_names(
    observations: Sequence[Observation], phase: Phase, bases: Sequence[ForwardName | None]
) -> Iterator[Name]:
    """The mistakes that predict the gradients, shown (phase `gradient`) or recovered from updates (`update`).

    Each comes alone or with a factor on top, and on top of each of `bases`; the simplest come first.
    """
    usable = _usable(observations, phase)
    if not usable:
        return
    # A mere factor, or what the forward pass explains, needs no further mistake.
    plain = [name for base in bases for name in _fitting(usable, base, None, "", _nowhere)]
    yield from plain
    if plain:
        return
    catalogue = GRADIENT if phase == "gradient" else (*UPDATE, *GRADIENT)
    for base in bases:
        named = set()
        for mistake, where, layers in _places(catalogue, [o for o, _ in usable]):
            # What fits in several places is the same there: the bottom layer passes nothing down, say.
            if mistake not in named:
                for name in _fitting(usable, base, mistake, where, layers):
                    named.add(mistake)
                    yield name


def fits(
    observations: Sequence[Observation],
    phase: Phase,
    mistake: Mistake | None,
    layers: Place,
    factor: str,
) -> bool:
    """Whether this very mistake with this factor predicts the gradients."""
    usable = _usable(observations, phase)
    found = list(_fitting(usable, None, mistake, "", layers)) if usable else []
    return any(same_factor(name.factor, factor, observations) for name in found)


def same_factor(factor: Factor, name: str, observations: Sequence[Observation]) -> bool:
    """Whether the factor is the one of that name, or has its value on all of these observations: N for N·outputs."""
    known = {f.name: f for f in (*FACTORS, *map(_negative, FACTORS))}
    return all(
        np.isclose(factor.value(*o.elements), known[name].value(*o.elements)) for o in observations
    )


def _usable(observations: Sequence[Observation], phase: Phase) -> list[tuple[Observation, _Shown]]:
    """What can be held against predictions; first what is wrong, and of that the best resolved: it tells most."""
    pairs = [(observation, _Shown.of(observation, phase)) for observation in observations]
    usable = [(observation, grads) for observation, grads in pairs if grads is not None]
    return sorted(usable, key=lambda pair: (not pair[0].wrong(phase), pair[1].blur))


def _nowhere(_: int) -> Layers:
    return frozenset()


def _places(
    catalogue: Sequence[Any], observations: Sequence[Observation]
) -> Iterator[tuple[Any, str, Place]]:
    """Each mistake in each place that these networks have, no two of them in the same layers throughout."""
    networks = list(dict.fromkeys(observation.case.network for observation in observations))
    depths = [len(network.layers) for network in networks]
    everywhere = [
        (where, layers, list(map(layers, depths))) for where, layers in scopes(max(depths))
    ]
    kinds: dict[Applies, list[Layers]] = {}
    for mistake in catalogue:
        if isinstance(mistake, Mistake) and not mistake.by_layer:
            yield mistake, "", _nowhere
            continue
        if mistake.applies not in kinds:
            kinds[mistake.applies] = [layers_where(n, mistake.applies) for n in networks]
        places: dict[tuple[Layers, ...], tuple[str, Place]] = {}
        for where, layers, found in everywhere:
            made = zip(found, kinds[mistake.applies], strict=True)
            places.setdefault(tuple(one & kind for one, kind in made), (where, layers))
        places.pop(tuple(frozenset() for _ in depths), None)
        for where, layers in places.values():
            yield mistake, where, layers


@dataclass(frozen=True, eq=False)
class _Shown:
    """What of an observation is held against predictions, beside what is exact and its bound.

    Gradients, shown or, of plain SGD, recovered from the update; of other optimizers, new weights and state.
    """

    case: Case
    seen: list[Array]
    exact: list[Array]
    bound: list[Array]
    of_gradients: bool = True

    @classmethod
    def of(cls, observation: Observation, phase: Phase) -> _Shown | None:
        """None where the observation shows none, or they cannot be judged."""
        case, seen = observation.case, observation.seen
        expected, bound = observation.answer
        grads, e = seen.grads, bound.grads
        if phase == "update" and seen.updated is not None:
            if not plain(case.schedule):
                return cls._of_update(observation)
            wide = expected.loss.dtype.type
            rate = wide(case.schedule.learning_rate)
            grads = map_params(
                lambda old, new: (old.astype(wide) - new) / rate, case.params, seen.updated
            )
            e = map_params(lambda tensor: tensor / float(rate), bound.updated or ())
        if grads is None or e is None or not _finite(tensors(e)):
            return None
        return cls(case, tensors(grads), tensors(expected.grads or ()), tensors(e))

    @classmethod
    def _of_update(cls, observation: Observation) -> _Shown | None:
        names = tuple(observation.seen.state or ())
        seen, exact, bound = (
            _after(step.updated or (), step.state or {}, names)
            for step in (observation.seen, *observation.answer)
        )
        if not _finite(bound):
            return None
        return cls(observation.case, seen, exact, bound, of_gradients=False)

    def predicted(self, grads: Params, mistake: Mistake | None) -> list[Array]:
        """What would be seen with these gradients, and with the mistake if it is one of the optimizer."""
        if self.of_gradients:
            return tensors(grads)
        case = self.case
        wide = tensors(grads)[0].dtype

        def step(
            schedule: Schedule, w: Array, g: Array, arrays: tuple[Array, ...], t: int
        ) -> Update:
            wrong = mistake.step(schedule, w, g, arrays, t) if mistake and mistake.step else None
            return wrong or update_tensor(schedule, w, g, arrays, t)

        initial = 0.0 if mistake is None else mistake.initial
        start = map_params(lambda tensor: np.full_like(tensor, initial), case.params)
        state = {
            name: cast(case.state.get(name, start), wide) for name in case.schedule.optimizer.arrays
        }
        params = cast(case.params, wide)
        after = apply_update(case.schedule, params, grads, state, case.update + 1, step)
        names = [name for name in state if len(self.seen) > len(tensors(grads))]
        return _after(*after, names)

    @property
    def blur(self) -> float:
        """The largest ‖bound‖ / ‖gradient‖ of a tensor: how little can be seen."""
        return max(deviation(g + e, g) for g, e in zip(self.exact, self.bound, strict=True))

    def fit(self, predicted: Sequence[Array], last: int = 0) -> float | None:
        """The factor k of the best fit seen = k · predicted, over all or the `last` tensors; None if there is none."""
        seen, predicted = self.seen[-last:], predicted[-last:]
        with np.errstate(all="ignore"):
            top = sum(np.sum(c * h) for c, h in zip(seen, predicted, strict=True))
            k = float(top / sum(np.sum(h * h) for h in predicted))
        return k if np.isfinite(k) and k != 0 else None


def _finite(arrays: Sequence[Array]) -> bool:
    return all(np.all(np.isfinite(array)) for array in arrays)


def _after(params: Params, state: Mapping[str, Params], names: Iterable[str]) -> list[Array]:
    """All tensors of the weights, then of the optimizer's arrays."""
    return [*tensors(params), *(tensor for name in names for tensor in tensors(state[name]))]


def _fitting(
    usable: Sequence[tuple[Observation, _Shown]],
    base: ForwardName | None,
    mistake: Mistake | None,
    where: str,
    layers: Place,
) -> Iterator[Name]:
    """The name of this mistake with the simplest factor that fits everywhere, if any does."""

    def predict(observation: Observation, scale: float) -> Params | None:
        equations = RIGHT if base is None else base.equations(observation.depth)
        if mistake is None:
            return run(observation.case, equations).grads
        found = mistake.predict(observation.case, equations, layers(observation.depth), scale)
        return None if found is None else found.grads

    linear = mistake is None or mistake.linear
    left: dict[Factor, float] | None = None
    made = mistake is None
    for observation, grads in usable:
        once = predict(observation, 1.0) if linear else None
        if left is None:
            left = dict.fromkeys(_factors(observation, grads, once, mistake), 0.0)
        roundings = 1 if mistake is None else mistake.roundings(observation.case)
        for factor in list(left):
            value = factor.value(*observation.elements)
            prediction = once if linear else predict(observation, value)
            if prediction is None:
                # It cannot be made here. Where what is seen shows a fault, it is another one.
                prediction, wrong = run(observation.case, RIGHT).grads, None
            else:
                made, wrong = True, mistake
            times = partial(np.multiply, prediction[0].weight.dtype.type(value))
            scaled = grads.predicted(map_params(times, prediction), wrong)
            share = observation.left_over(grads.seen, scaled, grads.exact, grads.bound, roundings)
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
    grads: _Shown,
    prediction: Params | None,
    mistake: Mistake | None,
) -> Sequence[Factor]:
    """The factors worth trying, going by the first observation."""
    known = (*FACTORS, *map(_negative, FACTORS))
    if not grads.of_gradients:
        return [UNIT]
    if prediction is not None:
        k = grads.fit(tensors(prediction))
    elif mistake is not None and mistake.by_layer:
        # Whatever depends on the factor, the output layer's gradient does not: it shows the factor.
        last = observation.case.network.layers[-1]
        k = grads.fit(grads.exact, last=2 if last.bias else 1)
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
