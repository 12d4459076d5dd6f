"""The evidence of a diagnosis: gradients, or new weights and arrays, and what a mistake predicts for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..contract import Params, map_params, tensors
from ..reference.layers import Array
from ..reference.passes import cast
from ..reference.updates import UpdateRule, apply_update, update_tensor
from ..verdict.case import Case
from ..verdict.judge import Phase
from ..verdict.observation import Observation, deviation
from .mistakes import Mistake, OptimizerMistake, plain


@dataclass(frozen=True, eq=False)
class Evidence:
    """What of an observation is compared with predictions.

    Attributes:
        case: the observation's.
        seen: gradients, shown or, where the optimizer is plain SGD, recovered from the update; where it is another one,
            new weights and its arrays.
        exact: the same, by the oracle.
        bound: on the difference of the two.
        of_gradients: these are gradients.
    """

    case: Case
    seen: list[Array]
    exact: list[Array]
    bound: list[Array]
    of_gradients: bool = True

    @classmethod
    def of(cls, observation: Observation, phase: Phase) -> Evidence | None:
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
    def _of_update(cls, observation: Observation) -> Evidence | None:
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
        case, wide = self.case, tensors(grads)[0].dtype
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
