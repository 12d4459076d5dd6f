"""A convention: one hypothesis of what a right program of this kind computes. Under it every phase is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import numpy as np

from ..contract import Dense, Network, Params, map_params, tensors
from ..diagnosis.mistakes import UNIT, Factor
from ..reference.bound_update import bound_update
from ..reference.passes import cast as converted
from ..reference.precision import Precision
from ..reference.step import StepValues
from ..reference.updates import apply_update, zero_state
from ..reference.vocabulary import BINARY_CROSS_ENTROPY_OF_PROBABILITIES
from ..verdict.case import Case, oracle_dtype
from ..verdict.judge import Finding
from ..verdict.observation import Observation

_FLOAT32 = Precision.of(np.float32)

CHAOTIC = 10.0
"""The growth of an error within a batch above which its size says nothing: updates by sample are not judged there."""

GROWTH = 4
"""Factor on the growth, measured with random errors, of an error that is made in the middle of a batch."""


@dataclass(frozen=True)
class Penalty:
    """A penalty on the weights, `strength / 2 · Σ w²`, in the loss and in its gradient.

    Attributes:
        strength: λ.
        averaged: the sum is divided by the number of samples of the batch as well.
        biases: the biases are penalised, too.
    """

    strength: float
    averaged: bool = False
    biases: bool = False

    def __str__(self) -> str:
        over = " / N" if self.averaged else ""
        return f"a penalty of {self.strength:.6g}/2 Σ w²{over}"

    def times(self, case: Case) -> float:
        """Return the factor on ½ Σ w² in one case."""
        return self.strength / len(case.batch[0]) if self.averaged else self.strength

    def gradient(self, case: Case) -> Params:
        """Return its gradient, in the oracle's precision."""
        return self.of(converted(case.params, oracle_dtype()), self.times(case))

    def of(self, params: Params, times: float) -> Params:
        """Return the gradient of `times` ½ Σ w²."""
        factor = oracle_dtype()(times)
        return tuple(
            layer._replace(
                weight=factor * layer.weight,
                bias=None if layer.bias is None else (factor if self.biases else 0) * layer.bias,
            )
            for layer in params
        )

    def value(self, case: Case) -> Any:
        """Return its value, in the oracle's precision."""
        grads = tensors(self.gradient(case))
        params = tensors(converted(case.params, oracle_dtype()))
        return sum(np.sum(g * w) for g, w in zip(grads, params, strict=True)) / 2


@dataclass(frozen=True)
class Convention:
    """What a right program of this kind computes.

    Attributes:
        activations: those of the hidden layers and of the output layer, or one for each layer; if empty, the
            network's own.
        loss: the loss; empty: the network's own.
        factor: the factor by which the gradient is multiplied.
        loss_factor: the factor by which the loss that it tells is multiplied.
        penalty: the penalty on the weights.
        guard: ε, if the loss that it tells has log(p + ε) and log(1 - p + ε), while its gradient has none.
        per_sample: it updates after every sample.
        absolute_sigmoid: its σ is accurate in absolute terms only: see `bound`.
        coarse: it computes in float32 what it is asked for in float64.
    """

    activations: tuple[str, ...] = ()
    loss: str = ""
    factor: Factor = UNIT
    loss_factor: Factor = UNIT
    penalty: Penalty | None = None
    guard: float = 0.0
    per_sample: bool = False
    absolute_sigmoid: bool = False
    coarse: bool = False

    def network(self, asked: Network) -> Network:
        """Return the network that the program computes when it is asked for another one."""
        if not (self.activations or self.loss) or not is_assignments(asked):
            return asked
        layers = asked.layers
        if self.activations:
            hidden, *_, output = self.activations
            names: Sequence[str] = self.activations
            if len(names) != len(layers):
                names = [hidden] * (len(layers) - 1) + [output]
            layers = tuple(
                replace(layer, activation=cast(Any, name))
                for layer, name in zip(layers, names, strict=True)
            )
        return Network(asked.input_shape, layers, cast(Any, self.loss or asked.loss))

    def case(self, asked: Case) -> Case:
        """Return the same case with the network that the program computes."""
        return replace(asked, network=self.network(asked.network))

    def under(self, observation: Observation) -> Observation:
        """Return the observation, to be judged under this convention."""
        if self == PLAIN:
            return observation
        return Conventional(
            self.case(observation.case), observation.result, self.absolute_sigmoid, self
        )

    def unscaled(self, observation: Observation) -> Observation:
        """Return the observation with this network and loss, and without the penalty: what the diagnosis explains.

        The diagnosis finds factors itself.
        """
        case, result = self.case(observation.case), observation.result
        if self.penalty is not None:
            g = self.penalty.gradient(case)
            rate = oracle_dtype()(case.schedule.learning_rate)
            result = replace(
                result,
                loss=None if result.loss is None else result.loss - self.penalty.value(case),
                grads=result.grads and map_params(np.subtract, result.grads, g),
                updated=result.updated and map_params(lambda w, d: w + rate * d, result.updated, g),
            )
        return replace(
            observation, case=case, result=result, absolute_sigmoid=self.absolute_sigmoid
        )


PLAIN = Convention()
"""The assignment's own: the network as given, its loss, and its gradient."""


def is_assignments(network: Network) -> bool:
    """Return True for sigmoid layers under the MSE: the networks for which a convention may have other ones."""
    return network.loss == "mse" and all(
        isinstance(layer, Dense) and layer.activation == "sigmoid" for layer in network.layers
    )


@dataclass(frozen=True, eq=False)
class Conventional(Observation):
    """An observation that is judged under a convention."""

    convention: Convention = PLAIN

    @cached_property
    def answer(self) -> tuple[StepValues, StepValues]:
        """The right result under the convention, and the bound."""
        own, r = self.convention, self.case.precision
        if own.coarse:  # twice, since it rounds the case to float32, too
            r = Precision("float32", 2 * _FLOAT32.eps, _FLOAT32.eta, _FLOAT32.largest)
        expected, e = self.case.expect(r, absolute_sigmoid=self.absolute_sigmoid)
        assert expected.grads is not None
        assert e.grads is not None
        u = r.u
        of_loss = oracle_dtype()(own.loss_factor.value(*self.elements))
        f = oracle_dtype()(own.factor.value(*self.elements))
        grads = map_params(lambda g: f * g, expected.grads)
        e_grads = map_params(
            lambda e, g: abs(float(f)) * (1 + 2 * u) * e + 2 * u * np.abs(g).astype(float),
            e.grads,
            grads,
        )
        loss = of_loss * (self._guarded(expected) if own.guard else expected.loss)
        e_loss = abs(float(of_loss)) * (1 + 2 * u) * e.loss + 2 * u * abs(float(loss))
        if own.penalty is not None:
            added, value = own.penalty.gradient(self.case), own.penalty.value(self.case)
            e_grads = map_params(
                lambda e, g, p: (
                    e + 4 * u * np.abs(p).astype(float) + u * np.abs(g + p).astype(float)
                ),
                e_grads,
                grads,
                added,
            )
            grads, loss = map_params(np.add, grads, added), loss + value
            terms = sum(tensor.size for tensor in tensors(self.case.params))
            e_loss += r.gamma(terms + 4) * float(value) + u * abs(float(loss))
        if own.per_sample:
            of_one = oracle_dtype()(own.factor.value(1, self.elements[1]))
            updated, e_updated = _sample_by_sample(self.case, of_one, own.penalty, r)
            state, e_state = expected.state, e.state
        else:
            updated, state, e_updated, e_state = updated_by(self.case, grads, e_grads, r)
        return (
            StepValues(expected.activations, loss, grads, loss, updated, state, loss),
            StepValues(e.activations, e_loss, e_grads, e_loss, e_updated, e_state, e_loss),
        )

    def _guarded(self, expected: StepValues) -> Any:
        """Return the loss of guarded probabilities. Its slopes are smaller than the loss's, whose bound holds."""
        assert expected.activations is not None
        p = expected.activations[-1]
        assert p is not None
        y, e = self.case.batch[1].astype(p.dtype), p.dtype.type(self.convention.guard)
        terms = y * np.log(p + e)
        if self.case.network.loss == BINARY_CROSS_ENTROPY_OF_PROBABILITIES:
            return -np.mean(terms + (1 - y) * np.log(1 - p + e))
        return -np.sum(terms) / len(y)

    def layer_by_layer(self) -> list[Finding]:
        """Return the verdicts on each layer alone; none if the gradient is not that of the loss alone."""
        own = self.convention
        plain = own.factor is UNIT and own.penalty is None and not own.coarse
        return super().layer_by_layer() if plain else []


def updated_by(
    case: Case, grads: Params, e_grads: Params, r: Precision
) -> tuple[Params, Any, Params, Any]:
    """Update with these gradients, and bound the rounding error, of which `e_grads` is that of the gradients.

    Returns:
        The weights, the optimizer's arrays, and the bounds of both.
    """
    wide, t = oracle_dtype(), case.update + 1
    state = zero_state(case.schedule, case.params) | dict(case.state)
    arrays = {name: converted(array, wide) for name, array in state.items()}
    updated, after = apply_update(case.schedule, converted(case.params, wide), grads, arrays, t)
    e, e_state = bound_update(case.schedule, case.params, grads, e_grads, state, t, r)
    return updated, after, e, e_state


def _sample_by_sample(
    case: Case, factor: Any, penalty: Penalty | None, r: Precision
) -> tuple[Params, Params]:
    """Update after every sample in turn, and bound the rounding error.

    The updates' own errors sum to N times the bound on an update of the whole batch, at the weights where it is larger:
    the first or the last. How an error grows until the end of the batch is measured: the same updates from weights with
    a small error.
    """
    start = converted(case.params, oracle_dtype())
    rng = np.random.default_rng(0)
    nudge = map_params(lambda w: 1e-9 * (1 + np.abs(w)) * rng.choice([-1, 1], w.shape), start)
    pair = map_params(lambda w, n: np.stack([w, w + n]), start, nudge)
    both = _one_by_one(case, pair, factor, penalty)
    end = map_params(lambda w: w[0], both)
    change = max(np.max(np.abs(w[1] - w[0])) for w in tensors(both))
    size = max(np.max(np.abs(n)) for n in tensors(nudge))
    growth = max(1.0, float(change / size))
    errors = [_error_of_one(replace(case, params=w), factor, r) for w in (start, end)]
    # An error in one weight spreads to all.
    largest = max(float(np.max(e)) for error in errors for e in tensors(error))
    allowed = GROWTH * growth * len(case.batch[0]) * largest if growth < CHAOTIC else np.inf
    return end, map_params(lambda w: np.full(w.shape, allowed), end)


def _one_by_one(case: Case, params: Params, factor: Any, penalty: Penalty | None) -> Params:
    """Return the weights, of two networks at once, after an update for each sample of the batch."""
    rate = oracle_dtype()(case.schedule.learning_rate)
    for row in np.arange(len(case.inputs))[case.schedule.batch(case.update)]:
        grads = case.evaluate_exactly(params=params, rows=[row]).grads
        grads = map_params(lambda g: factor * g, grads)
        if penalty is not None:
            grads = map_params(np.add, grads, penalty.of(params, penalty.strength))
        params = map_params(lambda w, g: w - rate * g, params, grads)
    return params


def _error_of_one(case: Case, factor: Any, r: Precision) -> Params:
    """Bound the rounding error of one update of the whole batch."""
    expected, e = case.astype(case.dtype).expect(r)
    assert expected.grads is not None
    assert e.grads is not None
    e_grads = map_params(lambda e: abs(float(factor)) * (1 + 2 * r.u) * e, e.grads)
    grads = map_params(lambda g: factor * g, expected.grads)
    return updated_by(case, grads, e_grads, r)[2]
