"""The evidence of a diagnosis: gradients, or new weights and arrays, and the values that a mistake predicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from ..contract import Params, map_params, tensors
from ..reference.layers import Array
from ..reference.passes import cast
from ..reference.updates import UpdateRule, apply_update, update_tensor
from ..verdict.judge import Phase
from ..verdict.observation import Observation, deviation
from .mistakes import Mistake, OptimizerMistake, plain


@dataclass(frozen=True, eq=False)
class Evidence:
    """The part of an observation that is compared with predictions.

    Attributes:
        observation: the observation.
        observed: the gradients that are shown, or recovered from an update by plain SGD; for an update by another
            optimizer, the new weights and the optimizer's arrays.
        exact: the oracle's values of the same tensors.
        bound: the bound on the difference of the two.
        of_gradients: True if the tensors are gradients.
    """

    observation: Observation
    observed: list[Array]
    exact: list[Array]
    bound: list[Array]
    of_gradients: bool = True

    @classmethod
    def of(cls, observation: Observation, phase: Phase) -> Evidence | None:
        """Extract the evidence on a phase; None if the observation shows none, or if it cannot be judged."""
        case, result = observation.case, observation.result
        expected, bound = observation.answer
        grads, e = result.grads, bound.grads
        if phase == "update" and result.updated is not None:
            if not plain(case.schedule):
                return cls._of_update(observation)
            wide = expected.loss.dtype.type
            rate = wide(case.schedule.learning_rate)
            grads = map_params(
                lambda old, new: (old.astype(wide) - new) / rate, case.params, result.updated
            )
            e = map_params(lambda tensor: tensor / float(rate), bound.updated or ())
        if grads is None or e is None or not _finite(tensors(e)):
            return None
        return cls(observation, tensors(grads), tensors(expected.grads or ()), tensors(e))

    @classmethod
    def _of_update(cls, observation: Observation) -> Evidence | None:
        names = tuple(observation.result.state or ())
        observed, exact, bound = (
            _after(step.updated or (), step.state or {}, names)
            for step in (observation.result, *observation.answer)
        )
        if not _finite(bound):
            return None
        return cls(observation, observed, exact, bound, of_gradients=False)

    def predicted(self, grads: Params, mistake: Mistake | None) -> list[Array]:
        """Predict the evidence from these gradients, and from the mistake if it is one of the optimizer."""
        if self.of_gradients:
            return tensors(grads)
        case, wide = self.observation.case, tensors(grads)[0].dtype
        rule: UpdateRule = update_tensor
        initial = 0.0
        if isinstance(mistake, OptimizerMistake):
            rule, initial = mistake.rule, mistake.initial
        start = map_params(lambda tensor: np.full_like(tensor, initial), case.params)
        state = {
            name: cast(case.state.get(name, start), wide) for name in case.schedule.optimizer.arrays
        }
        params = cast(case.params, wide)
        after = apply_update(case.schedule, params, grads, state, case.update + 1, rule)
        names = [name for name in state if len(self.observed) > len(tensors(grads))]
        return _after(*after, names)

    def share(self, grads: Params, factor: float, mistake: Mistake | None, roundings: int) -> float:
        """Compare with the evidence that these gradients predict, times a factor: see `Observation.left_over`."""
        times = partial(np.multiply, grads[0].weight.dtype.type(factor))
        predicted = self.predicted(map_params(times, grads), mistake)
        return self.observation.left_over(
            self.observed, predicted, self.exact, self.bound, roundings
        )

    def share_if_right(self, factor: float, roundings: int) -> float:
        """Compare with the evidence that the right gradients predict, times a factor."""
        if (factor, roundings) not in self._shares_if_right:
            right = self.observation.answer[0].grads or ()
            share = self.share(right, factor, None, roundings)
            self._shares_if_right[factor, roundings] = share
        return self._shares_if_right[factor, roundings]

    @cached_property
    def _shares_if_right(self) -> dict[tuple[float, int], float]:
        """Shares that were computed: a search asks for them once for every mistake that cannot be made here."""
        return {}

    @property
    def is_right(self) -> bool:
        """True if every tensor is within the bound."""
        slack = self.observation.case.oracle_slack
        columns = zip(self.observed, self.exact, self.bound, strict=True)
        return all(bool(np.all(np.abs(c - g) <= slack * e)) for c, g, e in columns)

    @property
    def blur(self) -> float:
        """The largest ‖bound‖ / ‖gradient‖ of a tensor: the larger it is, the less the evidence shows."""
        return max(deviation(g + e, g) for g, e in zip(self.exact, self.bound, strict=True))

    @property
    def dimness(self) -> float:
        """The same without tensors of zeros, which show nothing but zeros."""
        shown = [
            deviation(g + e, g) for g, e in zip(self.exact, self.bound, strict=True) if np.any(g)
        ]
        return max(shown, default=np.inf)

    def fit(self, predicted: Sequence[Array], last: int = 0) -> float | None:
        """Fit observed = k · predicted over all or the `last` tensors, and return k; None if there is no fit."""
        return fit(self.observed[-last:], predicted[-last:])


def fit(observed: Sequence[Array], predicted: Sequence[Array]) -> float | None:
    """Fit observed = k · predicted, and return k; None if there is no fit."""
    with np.errstate(all="ignore"):
        top = sum(np.dot(c.ravel(), h.ravel()) for c, h in zip(observed, predicted, strict=True))
        k = float(top / sum(np.dot(h.ravel(), h.ravel()) for h in predicted))
    return k if np.isfinite(k) and k != 0 else None


def _finite(arrays: Sequence[Array]) -> bool:
    return all(np.all(np.isfinite(array)) for array in arrays)


def _after(params: Params, state: Mapping[str, Params], names: Iterable[str]) -> list[Array]:
    """List all tensors of the weights, then those of the optimizer's arrays."""
    return [*tensors(params), *(tensor for name in names for tensor in tensors(state[name]))]
