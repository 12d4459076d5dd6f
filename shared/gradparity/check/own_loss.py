"""Judge a target against itself: its gradient against differences of the loss that it tells, whatever that loss is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..border import private
from ..contract import Params, map_params, tensors
from ..diagnosis.mistakes import FACTORS, UNIT, Factor, plain
from ..errors import ContractError
from ..reference.passes import cast
from ..reference.step import StepValues
from ..verdict.case import Case, oracle_dtype
from ..verdict.differences import gradient_by_differences, scatter
from ..verdict.judge import Finding
from ..verdict.observation import Observation
from .answer import answer
from .convention import Convention, updated_by
from .observed import Observed
from .sample_by_sample import one_at_a_time, sample_by_sample, updates_by_sample
from .target import Target

_CASES, _MORE = 4, 8
_RECORDED = 24
_SEVERAL, _FEW_SAMPLES = 12, 40
_NEAR = 1e-3
_DTYPE = "float64"


@dataclass(frozen=True, eq=False)
class AgainstItself(Observation):
    """An observation that is judged against values which come from the target itself.

    Attributes:
        expected: the values that a right result has; None for a value that is not judged.
        allowed: the bound on the distance from them.
    """

    expected: StepValues = field(default_factory=StepValues)
    allowed: StepValues = field(default_factory=StepValues)

    @cached_property
    def answer(self) -> tuple[StepValues, StepValues]:
        """The expected values and the bound."""
        return self.expected, self.allowed

    def layer_by_layer(self) -> list[Finding]:
        """Return nothing: the equations are not known."""
        return []


def against_its_own_loss(
    target: Target,
    observed: Mapping[str, Observed],
    network: Convention | None,
    apart: Sequence[Observation],
) -> tuple[Factor, dict[str, Observed]] | None:
    """Judge the gradients against the derivative of the target's own loss, and all else against the gradients.

    Only float64 is judged, where the differences are sharp. Activations are judged if the `network` is known. Of the
    gradients some are judged, and among them some of the observations `apart`, in which it differs from what is known.

    Returns:
        The factor on the gradient, and the observations as they are to be judged; None if the target tells no loss,
        shows no gradient, or cannot compute in float64.
    """
    wide = observed.get(_DTYPE)
    if wide is None or wide.narrow or not {"loss", "loss_and_grads"} & set(target.functions):
        return None
    shown = wide.all
    by_sample = updates_by_sample(target, shown)
    chosen = _chosen(one_at_a_time(target, shown) if by_sample else shown, apart)
    if not chosen or any(o.result.loss is None for o in chosen):
        return None
    try:
        derived = [(o, *_derivative(target, o.case)) for o in chosen]
        factor = _factor(derived)
        judged = [(_IN_WORDS, _of_gradient(target, *one, factor)) for one in derived]
        if by_sample:
            judged += _composed(target, wide.observations)
        else:
            judged += _consistent(target, wide.observations, network)
    except ContractError:
        return None
    return factor, {_DTYPE: replace(wide, observations=tuple(judged))}


_IN_WORDS = "against differences of its own loss"


def _chosen(shown: Sequence[Observation], apart: Sequence[Observation]) -> list[Observation]:
    """Choose small networks with different numbers of samples, some `apart`, and some of training, evenly."""
    usable = [
        o
        for o in shown
        if (o.result.grads is not None or o.result.updated is not None)
        and o.result.loss is not None
        and o.case.dtype == _DTYPE
        and plain(o.case.schedule)
    ]
    usable.sort(key=lambda o: sum(t.size for t in tensors(o.case.params)))
    distinct: dict[Any, Observation] = {}
    for o in usable:
        distinct.setdefault((o.case.network, o.elements), o)
    chosen = list(distinct.values())[:_CASES]
    if "jax" in sys.modules:  # every call goes through the front end of a compiler
        return chosen
    for some in (apart, [o for o in usable if o.case.network == usable[0].case.network]):
        more = [o for o in usable if any(o is one for one in some) and o not in chosen]
        chosen += more[:: -(-len(more) // _MORE) or 1]
    return chosen


def _loss(target: Target, case: Case) -> Callable[[Params], Any]:
    """Return the target's own loss on the case's batch, as a function of the weights."""
    functions = target.functions

    def of(params: Params) -> Any:
        arguments = (
            case.network,
            params,
            *(data.astype(params[0].weight.dtype) for data in case.batch),
        )
        if "loss_and_grads" in functions:
            loss = functions["loss_and_grads"](*private(arguments))[0]
            if loss is not None:
                return loss
        return functions["loss"](*private(arguments))

    return of


def _derivative(target: Target, case: Case) -> tuple[Params, Params]:
    """Return the derivative of the target's own loss, and its error."""
    return gradient_by_differences(_loss(target, case), case.params, (np.longdouble, np.float64))


def _gradient(target: Target, case: Case) -> Callable[[Params], Params]:
    """Return the target's gradient as a function of the weights."""

    def of(params: Params) -> Params:
        asked = replace(case, params=params)
        return _shown(asked, answer(target, asked).first)

    return of


def _shown(case: Case, step: StepValues) -> Params:
    """Return the gradient that a step shows; recovered from its update if it shows none."""
    rate = case.schedule.learning_rate
    return step.grads or map_params(
        lambda old, new: (old - new) / rate, case.params, step.updated or ()
    )


def _factor(derived: Iterable[tuple[Observation, Params, Params]]) -> Factor:
    """Find the factor of the gradient on the derivative of the loss; 1 if it is none that is known."""
    near = list(FACTORS)
    for o, derivative, _ in derived:
        pairs = list(zip(tensors(_shown(o.case, o.result)), tensors(derivative), strict=True))
        with np.errstate(all="ignore"):
            k = sum(np.sum(c * h) for c, h in pairs) / sum(np.sum(h * h) for _, h in pairs)
        near = [f for f in near if abs(f.value(*o.elements) - k) <= _NEAR * abs(k)]
    return near[0] if near else UNIT


def _of_gradient(
    target: Target, observation: Observation, derivative: Params, error: Params, factor: Factor
) -> Observation:
    """Judge the gradient, or the update if no gradient is shown, against the derivative times the factor."""
    case, result = observation.case, observation.result
    f = factor.value(*observation.elements)
    own = scatter(_gradient(target, case), case.params)
    grads = map_params(lambda g: f * g, cast(derivative, oracle_dtype()))
    e = map_params(lambda one, other: abs(f) * one + other, error, own)
    if result.grads is not None:
        return AgainstItself(
            case,
            StepValues(grads=result.grads),
            expected=StepValues(grads=grads),
            allowed=StepValues(grads=e),
        )
    updated, _, e_updated, _ = updated_by(case, grads, e, case.precision)
    return AgainstItself(
        case,
        StepValues(updated=result.updated),
        expected=StepValues(updated=updated),
        allowed=StepValues(updated=e_updated),
    )


def _consistent(
    target: Target, observations: Iterable[tuple[str, Observation]], network: Convention | None
) -> Iterator[tuple[str, Observation]]:
    """Judge what follows from the target's own gradient and loss: updates, states, the losses that it records."""
    valued = 0
    for where, o in observations:
        case, result = o.case, o.result
        given, expected, allowed = StepValues(), StepValues(), StepValues()
        if network is not None and result.activations is not None:
            right, e = network.under(o).answer
            given = replace(given, activations=result.activations)
            expected = replace(expected, activations=right.activations)
            allowed = replace(allowed, activations=e.activations)
        if result.updated is not None and _shows_gradients(target):
            grads = _gradient(target, case)(case.params) if result.grads is None else result.grads
            none = map_params(np.zeros_like, grads)
            updated, state, e_updated, e_state = updated_by(
                case, cast(grads, oracle_dtype()), none, case.precision
            )
            given = replace(given, updated=result.updated, state=result.state)
            expected = replace(expected, updated=updated, state=state)
            allowed = replace(allowed, updated=e_updated, state=e_state)
        told = [v for v in (result.recorded, result.final_loss) if v is not None]
        if told and (valued < _RECORDED or not np.all(np.isfinite(told))):
            valued += 1
            value, e_value = _value(target, case)
            given = replace(given, recorded=result.recorded, final_loss=result.final_loss)
            expected = replace(expected, recorded=value, final_loss=value)
            allowed = replace(allowed, recorded=e_value, final_loss=e_value)
        yield where, AgainstItself(case, given, expected=expected, allowed=allowed)


def _composed(
    target: Target, observations: Iterable[tuple[str, Observation]]
) -> Iterator[tuple[str, Observation]]:
    """Judge updates of several samples by the target's own updates after each of them, one after the other."""
    several = [one for one in observations if 1 < one[1].elements[0] <= _FEW_SAMPLES]
    for where, o in [one for one in several if one[1].result.updated is not None][:_SEVERAL]:
        params = sample_by_sample(target, o.case)
        if params is not None:
            # The same operations on the same numbers: only sums may be taken in another order.
            r, n = o.case.precision, o.elements[0]
            e = map_params(
                lambda old, new, r=r, n=n: r.gamma(8 * n) * (np.abs(old) + np.abs(new)),
                o.case.params,
                params,
            )
            yield (
                where,
                AgainstItself(
                    o.case,
                    StepValues(updated=o.result.updated),
                    expected=StepValues(updated=cast(params, oracle_dtype())),
                    allowed=StepValues(updated=e),
                ),
            )


def _shows_gradients(target: Target) -> bool:
    return "loss_and_grads" in target.functions


def _value(target: Target, case: Case) -> tuple[Any, Any]:
    """Return the target's own loss, and how far rounding may move it."""
    loss = _loss(target, case)

    def of(params: Params) -> Params:
        return map_params(lambda tensor: np.full(tensor.shape, float(loss(params))), params)

    e = max(float(np.max(tensor)) for tensor in tensors(scatter(of, case.params)))
    return oracle_dtype()(float(loss(case.params))), e
