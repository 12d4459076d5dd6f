"""Propose mistakes layer by layer, from the output down: what one or two mistakes explain of one observation.

The tensors of a layer depend only on the mistakes made in it and above. So a mistake that does not explain the output
layer's tensors is dropped before the layers below it are computed, and every set of layers is tried where the tensors
leave a choice. A proposal holds for one observation; `search` tries it on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from ..reference.layers import Array, LinearLayer, layers_of
from ..reference.passes import Equations, cast
from ..verdict.observation import Observation
from .evidence import Evidence, fit
from .mistakes import FACTORS, LayerMistake, Layers, Program, StepMistake

MOST = 2
"""The largest number of different mistakes in one program that are searched for."""

_FEW = 20_000
"""The number of tensors that are compared before the search in one observation gives up: about a second."""


@dataclass(frozen=True)
class Place:
    """A mistake, the layers in which it is made, and those in which this network would show it."""

    mistake: LayerMistake
    layers: Layers
    shown: Layers


@dataclass(frozen=True)
class Proposal:
    """Mistakes that explain one observation: those made by layer, and that of the whole step."""

    depth: int
    places: tuple[Place, ...]
    step: StepMistake | None = None


@dataclass
class _Root:
    """A pass down to ∂loss/∂a of the output layer; the values are by layer."""

    below: dict[int, Array] = field(default_factory=dict)
    z: dict[int, Array] = field(default_factory=dict)
    a: dict[int, Array] = field(default_factory=dict)
    d_a: dict[int, Array] = field(default_factory=dict)


def _root(observation: Observation, equations: Equations, step: StepMistake | None) -> _Root | None:
    """Carry out a pass, and note what each layer is given; None if the mistake cannot be made here."""
    root = _Root()

    def activate(z: Array, layer: LinearLayer) -> Array:
        a = equations.activate(z, layer)
        root.z[layer.index], root.a[layer.index] = z, a
        return a

    def weight_grad(below: Array, d_a: Array, delta: Array, layer: LinearLayer) -> Array:
        root.below[layer.index], root.d_a[layer.index] = below, d_a
        return equations.weight_grad(below, d_a, delta, layer)

    program = Program(
        observation.case, replace(equations, activate=activate, weight_grad=weight_grad)
    )
    try:
        found = program.run() if step is None else step.predict(program)
    except ValueError:  # shapes that do not fit
        return None
    return None if found is None else root


@dataclass(frozen=True, eq=False)
class _State:
    """What explains the layers above.

    Attributes:
        chain: by the number of a mistake, the layers in which it is made.
        factor: the factor on the gradient; None as long as all gradients are 0.
        d_a: ∂loss/∂a of the next layer.
    """

    chain: Mapping[int, Layers]
    factor: float | None
    d_a: Array


class LayerwiseSearch:
    """The search in one observation, whose program has these equations but for the mistakes to be found.

    Args:
        observation: the observation to explain.
        evidence: its gradients.
        equations: the equations of the program apart from the mistakes.
        catalogue: the mistakes that may be made by layer.
    """

    def __init__(
        self,
        observation: Observation,
        evidence: Evidence,
        equations: Equations,
        catalogue: Sequence[LayerMistake],
    ) -> None:
        self.observation, self.evidence = observation, evidence
        self.equations, self.catalogue = equations, catalogue
        case = observation.case
        self.layers = layers_of(case.network)
        self.weights = [layer.weight for layer in cast(case.params, evidence.exact[0].dtype)]
        self.biased = [params.bias is not None for params in case.params]
        starts = np.cumsum([0, *(1 + biased for biased in self.biased)])
        self.at = [int(start) for start in starts[:-1]]
        values = {f.value(*observation.elements) for f in FACTORS}
        self.factors = sorted({*values, *(-value for value in values)}, key=abs)
        possible = [mistake.possible(case.network) for mistake in catalogue]
        self.changes: list[dict[int, Mapping[str, Callable[..., Any]]]] = []
        for layer in self.layers:
            here = frozenset({layer.index})
            found = {}
            for at, mistake in enumerate(catalogue):
                if mistake.linear and here <= possible[at]:
                    changes = mistake.changes(Program(case, equations, here))
                    if changes is not None:
                        found[at] = changes
            self.changes.append(found)
        self.compared = 0

    def proposals(self, step: StepMistake | None = None) -> list[Proposal]:
        """List what explains the observation, the fewest mistakes first; with `step`, together with that mistake."""
        root = _root(self.observation, self.equations, step)
        if root is None:
            return []
        most = MOST - (step is not None)
        states = [_State({}, None, root.d_a[self.layers[-1].index])]
        for layer in reversed(self.layers):
            states = [after for one in states for after in self._expand(one, root, layer, most)]
        found = [state.chain for state in states if state.chain]
        # What explains as much with fewer mistakes says the same.
        minimal = [chain for chain in found if not any(set(other) < set(chain) for other in found)]
        minimal.sort(key=lambda chain: (len(chain), sum(map(len, chain.values()))))
        return [self._proposal(chain, step) for chain in minimal]

    def _proposal(self, chain: Mapping[int, Layers], step: StepMistake | None) -> Proposal:
        places = []
        for at, layers in sorted(chain.items()):
            shown = frozenset(k for k, changes in enumerate(self.changes) if at in changes)
            places.append(Place(self.catalogue[at], layers, shown))
        return Proposal(self.observation.depth, tuple(places), step)

    def _expand(
        self, state: _State, root: _Root, layer: LinearLayer, most: int
    ) -> Iterator[_State]:
        """Yield what explains this layer's tensors, too."""
        k = layer.index
        here, known = _Layer(self, root, state.d_a, layer), self.changes[k]
        used = [at for at in state.chain if at in known]
        fresh = [at for at in known if at not in state.chain]
        for active in _subsets(used, fresh, most - len(state.chain)):
            by = {name: at for at in active for name in known[at]}
            if len(by) < sum(len(known[at]) for at in active):
                continue  # two mistakes in the same equation
            for factor in here.factors(by, state.factor):
                passed = here.passed_down(by) if k else state.d_a
                if passed.shape == root.below[k].shape or not k:
                    chain = {
                        **state.chain,
                        **{at: state.chain.get(at, frozenset()) | {k} for at in active},
                    }
                    yield _State(chain, factor, passed)

    def share(self, at: int, predicted: Array, factor: float) -> float:
        """Compare one tensor: see `Observation.left_over`."""
        self.compared += 1
        e = self.evidence
        if self.compared > _FEW or predicted.shape != e.observed[at].shape:
            return np.inf
        scaled = predicted * predicted.dtype.type(factor)
        return self.observation.left_over([e.observed[at]], [scaled], [e.exact[at]], [e.bound[at]])


Chosen = Mapping[str, int]
"""By the name of an equation, the number of the mistake that replaces it."""


class _Layer:
    """One layer below a given ∂loss/∂a, under any choice of mistakes. Every value is computed once."""

    def __init__(
        self, search: LayerwiseSearch, root: _Root, d_a: Array, layer: LinearLayer
    ) -> None:
        self.search, self.root, self.d_a, self.layer = search, root, d_a, layer
        self.at = search.at[layer.index]
        self.count = 1 + search.biased[layer.index]
        self.known: dict[tuple[Any, ...], Any] = {}

    def factors(self, by: Chosen, factor: float | None) -> Iterator[float | None]:
        """Yield the factors with which the predicted tensors are the observed ones; None where all of them are 0."""
        try:
            tensors = [self.weight_grad(by), self.bias_grad(by)][: self.count]
        except ValueError:  # shapes that do not fit
            return
        candidates: Sequence[float | None] = [factor]
        observed = self.search.evidence.observed[self.at : self.at + self.count]
        if factor is None and all(
            c.shape == h.shape for c, h in zip(observed, tensors, strict=True)
        ):
            k = fit(observed, tensors)
            if k is not None:
                candidates = [f for f in self.search.factors if abs(f - k) <= 1e-2 * abs(k)]
        for candidate in candidates:
            value = 1.0 if candidate is None else candidate
            if all(self.fits(i, by, tensor, value) for i, tensor in enumerate(tensors)):
                yield candidate

    def fits(self, i: int, by: Chosen, tensor: Array, factor: float) -> bool:
        """Return True if this tensor, the weight's (0) or the bias's (1), is the observed one."""
        key = ("share", i, by.get("slope"), by.get("bias_grad" if i else "weight_grad"), factor)
        if key not in self.known:
            self.known[key] = self.search.share(self.at + i, tensor, factor) <= 1
        return bool(self.known[key])

    def delta(self, by: Chosen) -> Array:
        """Compute ∂loss/∂z."""
        root, k = self.root, self.layer.index
        key = "slope", by.get("slope")
        if key not in self.known:
            z, a = root.z[k], root.a[k]
            slope = self.equation("slope", by)(z, a, self.layer)
            across = self.search.equations.across(self.d_a, z, a, self.layer)
            self.known[key] = self.d_a * slope + across
        return np.asarray(self.known[key])

    def weight_grad(self, by: Chosen) -> Array:
        """Compute ∂loss/∂W."""
        below = self.root.below[self.layer.index]
        return self.once("weight_grad", by, below, self.d_a, self.delta(by), self.layer)

    def bias_grad(self, by: Chosen) -> Array:
        """Compute ∂loss/∂b."""
        return self.once("bias_grad", by, self.delta(by), self.layer)

    def passed_down(self, by: Chosen) -> Array:
        """Compute ∂loss/∂a of the layer below."""
        weight = self.search.weights[self.layer.index]
        return self.once("passed_down", by, self.d_a, self.delta(by), weight, self.layer)

    def once(self, name: str, by: Chosen, *arguments: Any) -> Array:
        """Compute an equation, unless it was computed with the same choice."""
        key = name, by.get("slope"), by.get(name)
        if key not in self.known:
            self.known[key] = self.equation(name, by)(*arguments)
        return np.asarray(self.known[key])

    def equation(self, name: str, by: Chosen) -> Callable[..., Any]:
        """Return the right equation, or that of the mistake that replaces it."""
        if name in by:
            return self.search.changes[self.layer.index][by[name]][name]
        right: Callable[..., Any] = getattr(self.search.equations, name)
        return right


def _subsets(used: Sequence[int], fresh: Sequence[int], most: int) -> Iterator[tuple[int, ...]]:
    """Choose any of the mistakes made above, and up to `most` others."""
    for size in range(len(used) + 1):
        for old in combinations(used, size):
            for count in range(most + 1):
                for new in combinations(fresh, count):
                    yield (*old, *new)
