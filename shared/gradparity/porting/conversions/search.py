"""Go through the regions that disagree, and look for the parameters with which they would agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...tracing import layouts
from ...tracing.alignment import Side
from ...tracing.recording import PARAMETER, Recording
from ...tracing.regions import Comparison, Region
from ..counterfactual import Change
from ..result import Conversion
from .guesses import Guess, Guesses
from .moves import Order, plain
from .numbers import Numbers, key
from .reach import Reach, Retrial
from .words import Said, Words, pieces

Array = NDArray[Any]

_NEAREST = 12
"""Parameters above a region that are looked at: those of an attention layer with its normalisation."""

_EFFORT = 12_000_000
"""How many numbers are computed for one region's guesses at most, an operation counting for some more."""

_BEHIND = 60
"""How many events behind a region are looked at for a softmax."""

_FAILURES = 3
"""Regions of the same operations for which all guesses fail before the next of the kind are left alone."""


_SOFTMAX = {"softmax", "_softmax", "safe_softmax", "reduce_max", "amax"}
"""Operations of attention that a recurrent cell has not."""


@dataclass(frozen=True)
class Found:
    """A parameter, or several, that were converted wrongly.

    Attributes:
        conversion: what is told.
        regions: those that disagree because of it, the first one first.
        unpaired: the leaves without a partner that it explains, by side.
        change: the port's parameters as they should be; of what the port lacks, the original's without it.
    """

    conversion: Conversion
    regions: tuple[Region, ...]
    unpaired: Mapping[Side, tuple[int, ...]]
    change: Change


@dataclass
class _Wrong:
    """Parameters with which a region would agree."""

    values: dict[int, Array]
    sources: dict[int, int]
    region: Region
    regions: list[Region] = field(default_factory=list)
    side: Side = "b"
    kind: str = ""
    order: Order | None = None


def find(comparison: Comparison, port: Recording) -> list[Found]:
    """Return the parameters that were converted wrongly.

    Args:
        comparison: of an original's recording and its port's.
        port: the port's recording as it was compared: in the comparison's, the original's arrays stand in the place of
            those that differ.
    """
    return _Search(comparison, port).run()


class _Search:
    def __init__(self, comparison: Comparison, port: Recording) -> None:
        self.comparison = comparison
        self.a, self.b = comparison.alignment.a, comparison.alignment.b
        self.port = port
        self.numbers = Numbers(self.a, port)
        self.words = Words(self.numbers, comparison.alignment.tolerances["float64"])
        self.reach = Reach(comparison)
        self.current = {leaf: self.numbers.value("b", leaf) for leaf in self.numbers.leaves["b"]}
        self.wrong: list[_Wrong] = []
        self.failed: dict[tuple[str, ...], int] = {}
        self.unexplained: dict[int, Region] = {}
        self.leaf_regions = {
            region.pair.b: region
            for region in comparison.regions
            if self.b.events[region.pair.b].operation == PARAMETER
            and region.verdict != "agree"
            and region.pair.b in self.current
        }

    def run(self) -> list[Found]:
        for leaf, region in self.leaf_regions.items():
            self._differing(leaf, region)
        for region in self._disagreeing():
            if region.pair.b in self.leaf_regions:
                continue
            if not self._explained(region) and region.pair.a in self.comparison.forward:
                self._look(region)
        known = {id(region) for wrong in self.wrong for region in wrong.regions}
        for region in self._disagreeing():  # an earlier one may be due to what was found later
            if id(region) not in known and region.pair.b not in self.leaf_regions:
                self._explained(region)
        return [*self._told(), *self._untied()]

    def _disagreeing(self) -> list[Region]:
        """Return the regions that disagree, and the original's parameters that were put in an array's place."""
        put = [
            region
            for region in self.comparison.regions
            if region.by_place
            and region.verdict == "abstain"
            and self.a.events[region.pair.a].operation == PARAMETER
            and self.b.events[region.pair.b].operation != PARAMETER
        ]
        return sorted([*put, *self.comparison.divergences], key=self._order)

    # --- What would be right ---

    def _differing(self, leaf: int, region: Region) -> None:
        """Judge a parameter that has a partner with other numbers: by its name, or because it was put in its place."""
        value = self.a.events[region.pair.a].value
        sources = [i for i in self.a.needed_for([region.pair.a]) if i in self.numbers.leaves["a"]]
        source = sources[0] if len(sources) == 1 else None
        for user in self.reach.users(leaf):
            retrial = Retrial(self.reach, user, {"a": sources, "b": [leaf]})
            if retrial.verdict({leaf: self.current[leaf]}) != "disagree":
                continue
            guesses = Guesses(self.numbers, sources, [leaf], self.current, self._gated(user))
            likely = [
                Guess({leaf: one}, {} if source is None else {leaf: source})
                for one in (
                    region.pair.layout.apply(value),
                    *plain(value, self.current[leaf].shape),
                )
            ]
            guess = self._first(retrial, chain(likely, guesses.first(), guesses.then()))
            if guess is not None:
                wrong = _Wrong(dict(guess.values), dict(guess.sources), user, [region])
                self.wrong.append(wrong)
                self.current.update(guess.values)
                return

    def _explained(self, region: Region) -> bool:
        """Whether a region agrees with what was found before."""
        fixed = self._fixed(region)
        if not fixed:
            return False
        trial = Retrial(self.reach, region, {"a": self._near("a", region), "b": list(fixed)})
        if trial.verdict(fixed) != "agree":
            # The port's gradients may lawfully lie in another order than the one that was put in their place.
            before = {leaf: self.numbers.value("b", leaf) for leaf in fixed}
            forward = region.pair.a in self.comparison.forward
            if forward or trial.alike(before) is not False or not trial.alike(fixed):
                return False
        for one in self.wrong:
            if one.side == "b" and not one.values.keys().isdisjoint(fixed):
                one.regions.append(region)
        return True

    def _fixed(self, region: Region) -> dict[int, Array]:
        """Return what is known to be right of the port's parameters above a region."""
        near = self.reach.around("b", region).leaves
        known = {leaf for one in self.wrong if one.side == "b" for leaf in one.values}
        return {leaf: self.current[leaf] for leaf in near if leaf in known}

    def _near(self, side: Side, region: Region) -> tuple[int, ...]:
        own = set(self.numbers.leaves[side])
        return tuple(i for i in self.reach.around(side, region).leaves[:_NEAREST] if i in own)

    def _look(self, region: Region) -> None:
        """Look for parameters with which a region agrees."""
        signature = tuple(
            recording.events[event].operation
            for recording, events in ((self.a, region.events_a), (self.b, region.events_b))
            for event in events
        )
        if self.failed.get(signature, 0) >= _FAILURES:
            return
        later = self.reach.later(region)
        whole = self._with_unexplained(region)
        regions = [*([] if later is region else [later]), region, *([whole] if whole else [])]
        for first in (True, False):
            for one in regions:
                guesses = Guesses(
                    self.numbers,
                    self._near("a", one),
                    self._near("b", one),
                    self.current,
                    self._gated(one),
                )
                done = [order for wrong in self.wrong if (order := wrong.order) is not None]
                likely = chain(guesses.again(done), guesses.first())
                found = self._best(one, likely if first else guesses.then())
                if found is not None:
                    self.wrong.append(found)
                    found.regions.append(region)
                    if one is whole:
                        found.regions += self._inside(whole)
                    if not found.kind:
                        self.current.update(found.values)
                    return
            if first and (self._missing(region) or self._extra(region)):
                return
        self.failed[signature] = self.failed.get(signature, 0) + 1
        self.unexplained[region.pair.b] = region

    def _with_unexplained(self, region: Region) -> Region | None:
        """Return a region with those before it that nothing explains: what was put in place there may be no pair."""
        found = [one for pair in region.inputs if (one := self.unexplained.get(pair.b))]
        if not found:
            return None
        inner = {one.pair.b for one in found}
        return replace(
            region,
            inputs=(
                *(pair for pair in region.inputs if pair.b not in inner),
                *(pair for one in found for pair in one.inputs),
            ),
            events_a=tuple(sorted({*region.events_a, *(i for one in found for i in one.events_a)})),
            events_b=tuple(sorted({*region.events_b, *(i for one in found for i in one.events_b)})),
        )

    def _inside(self, region: Region) -> list[Region]:
        """Return the regions without an explanation that lie in another."""
        return [self.unexplained.pop(i) for i in region.events_b if i in self.unexplained]

    def _best(self, region: Region, guesses: Iterable[Guess]) -> _Wrong | None:
        """Return the first guess with which a region agrees, and which does no harm elsewhere."""
        fixed = self._fixed(region)
        trials: dict[frozenset[int], list[Retrial]] = {}
        effort = _EFFORT
        for guess in guesses:
            leaves = frozenset(guess.values)
            if leaves not in trials:
                before = fixed | {leaf: self.current[leaf] for leaf in leaves}
                trials[leaves] = [
                    trial
                    for trial in self._trials(region, leaves, fixed)
                    if trial.verdict(before) == "disagree"
                ]
            for trial in trials[leaves]:
                effort -= trial.effort
                if effort < 0:
                    return None
                if trial.verdict(fixed | dict(guess.values)) != "agree":
                    continue
                needed = self._needed(guess, trial, fixed)
                harmed = self._harmed(needed, trial.region)
                tied = harmed and self._is_tied_wrongly(needed)
                if not harmed or tied:
                    return _Wrong(
                        dict(needed.values),
                        dict(needed.sources),
                        region,
                        kind="tied wrongly" if tied else "",
                        order=needed.order,
                    )
        return None

    def _trials(
        self, region: Region, leaves: frozenset[int], fixed: Mapping[int, Array]
    ) -> Iterator[Retrial]:
        """Yield the region as it is, if it uses these parameters directly, and from all of them on."""
        direct = {i for event in region.events_b for i in self.b.events[event].inputs}
        grown = Retrial(
            self.reach, region, {"a": self._near("a", region), "b": sorted({*leaves, *fixed})}
        )
        if leaves <= direct and grown.region is not region:
            yield Retrial(self.reach, region, {"a": (), "b": ()})
        yield grown

    def _needed(self, guess: Guess, trial: Retrial, fixed: Mapping[int, Array]) -> Guess:
        """Return an order without the parameters that make no difference here."""
        if guess.order is None:
            return guess
        values = dict(guess.values)
        for leaf in guess.values:
            left = {i: value for i, value in values.items() if i != leaf}
            if left and trial.verdict({**fixed, leaf: self.current[leaf], **left}) == "agree":
                values = left
        return Guess(
            values, {i: guess.sources[i] for i in values if i in guess.sources}, guess.order
        )

    def _harmed(self, guess: Guess, region: Region) -> bool:
        """Whether a region elsewhere that agrees would no longer make the same numbers."""
        users = {id(user): user for leaf in guess.values for user in self.reach.users(leaf)}
        for user in users.values():
            above = {user.pair.b, *(pair.b for pair in user.inputs)}
            elsewhere = above.isdisjoint(region.events_b)
            forward = user.pair.a in self.comparison.forward
            if elsewhere and forward and user.verdict == "agree":
                values = self._fixed(user) | dict(guess.values)
                near = self._near("a", user)
                trial = Retrial(self.reach, user, {"a": near, "b": list(values)})
                if trial.alike(values) is False:
                    return True
        return False

    def _is_tied_wrongly(self, guess: Guess) -> bool:
        """Whether a parameter should be another one of the original here than elsewhere."""
        (leaf, *others) = guess.values
        held = self.numbers.same(self.current[leaf], "a")
        return not others and bool(held) and guess.sources.get(leaf) not in {None, *held}

    def _first(self, retrial: Retrial, guesses: Iterable[Guess]) -> Guess | None:
        effort = _EFFORT
        for guess in guesses:
            effort -= retrial.effort
            if effort < 0:
                return None
            if retrial.verdict(guess.values) == "agree":
                return guess
        return None

    def _missing(self, region: Region) -> bool:
        """Look for a parameter of the original without which the two agree: the port has none."""
        near = self._near("a", region)
        fixed = self._fixed(region)
        trial = Retrial(self.reach, region, {"a": near, "b": list(fixed)})
        for leaf in near:
            if not self.numbers.lost(leaf):
                continue
            for constant in (0.0, 1.0):
                values = {leaf: np.full_like(self.a.events[leaf].value, constant)}
                if trial.verdict_without(values, fixed) == "agree":
                    wrong = _Wrong(values, {}, region, [region], "a", "missing")
                    self.wrong.append(wrong)
                    return True
        return False

    def _extra(self, region: Region) -> bool:
        """Look for a parameter of the port without which the two agree: the original has none."""
        guesses = [
            Guess({leaf: np.full_like(self.current[leaf], constant)})
            for leaf in self._near("b", region)
            if self.numbers.foreign(leaf)
            for constant in (0.0, 1.0)
        ]
        found = self._best(region, guesses)
        if found is not None and not found.kind:
            found.kind = "without a partner"
            found.regions.append(region)
            self.wrong.append(found)
            self.current.update(found.values)
        return found is not None

    # --- Parameters of one number, or of two ---

    def _untied(self) -> Iterator[Found]:
        """Yield the original's parameters that it uses twice, and of which the port has one for each use."""
        port = self.port
        for leaf in self.numbers.leaves["a"]:
            name = self.numbers.name("a", leaf)
            copies = self.numbers.same(self.numbers.value("a", leaf), "b")
            at = self.a.outputs.get(f"gradient {name}")
            names = [self.numbers.name("b", copy) for copy in copies]
            gradients = [port.outputs.get(f"gradient {one}") for one in names]
            regions = tuple(r for r in self.comparison.divergences if r.pair.a == at)
            if len(copies) < 2 or at is None or not regions or None in gradients:
                continue
            value = self.numbers.value("a", leaf)
            total = np.zeros(value.shape)
            back = []
            for copy, gradient in zip(copies, gradients, strict=True):
                own = self.numbers.value("b", copy)
                layout = layouts.find(own, value.astype(own.dtype))
                if layout is None or gradient is None:
                    break
                total = total + layout.apply(port.events[gradient].value)
                back.append((gradient, layouts.find(value, own)))
            wanted = self.a.events[at].value
            largest = float(np.abs(wanted).max(initial=0.0))
            near = self.comparison.alignment.tolerances["float64"] * largest
            if len(back) == len(copies) and (np.abs(total - wanted) <= near).all():
                text = (
                    f"The original has one parameter, `{name}`, where the port has "
                    f"{_listed(names)}: they hold the same numbers, and each gets a part of its gradient."
                )
                yield Found(
                    Conversion("untied", (name,), tuple(names), text),
                    regions,
                    {"a": (), "b": ()},
                    Change("b", values={g: layout.apply(wanted) for g, layout in back if layout}),
                )

    # --- In words ---

    def _told(self) -> Iterator[Found]:
        parameters = list(self._parameters())
        while parameters:
            first, *parameters = parameters
            group = [first, *(one for one in parameters if self._together(first, one))]
            parameters = [one for one in parameters if one not in group]
            yield self._one(sorted(group, key=lambda one: not one.said.named))
        for wrong in self.wrong:
            if wrong.kind:
                yield self._special(wrong)

    def _parameters(self) -> Iterator[_Parameter]:
        for leaf in dict.fromkeys(i for one in self.wrong if not one.kind for i in one.values):
            wrongs = [one for one in self.wrong if not one.kind and leaf in one.values]
            right = self.current[leaf]
            sources = [one.sources[leaf] for one in wrongs if leaf in one.sources]
            sources = sources[-1:] or list(dict.fromkeys(pieces(self.numbers, right)))
            own = self.numbers.value("b", leaf)
            if np.array_equal(own, right):
                continue
            context = self._context(wrongs[0].region)
            said = self.words.describe(leaf, own, right, sources, context)
            yield _Parameter(leaf, own, said, tuple(sources), wrongs)

    def _together(self, one: _Parameter, other: _Parameter) -> bool:
        """Whether two parameters are told as one finding: each has the other's numbers, or both the same order."""
        crossed = key(one.own) == key(self.current[other.leaf]) and (
            key(other.own) == key(self.current[one.leaf])
        )
        return crossed or (
            bool(one.said.order)
            and one.said.order == other.said.order
            and one.said.kind == other.said.kind
            and self.numbers.module("b", one.leaf) == self.numbers.module("b", other.leaf)
        )

    def _one(self, group: Sequence[_Parameter]) -> Found:
        first = group[0]
        port = tuple(self.numbers.name("b", one.leaf) for one in group)
        sources = dict.fromkeys(source for one in group for source in one.sources)
        original = tuple(self.numbers.name("a", source) for source in sources)
        kind, text = first.said.kind, first.said.text
        if len(group) > 1 and first.said.order:
            text = f"{text[:-1]}; likewise {_listed(port[1:])}."
        elif len(group) > 1:
            kind = "swapped"
            text = f"{_listed(port)} hold each other's numbers: those of {_listed(original)}."
        regions: dict[int, Region] = {}
        for one in group:
            for wrong in one.wrongs:
                regions.update({id(region): region for region in wrong.regions})
        ordered = sorted(regions.values(), key=self._order)
        leaves = [one.leaf for one in group]
        unpaired: dict[Side, tuple[int, ...]] = {
            "a": tuple(i for i in self.comparison.unpaired["a"] if i in sources),
            "b": tuple(i for i in self.comparison.unpaired["b"] if i in leaves),
        }
        change = Change("b", values={leaf: self.current[leaf] for leaf in leaves})
        return Found(Conversion(kind, original, port, text), tuple(ordered), unpaired, change)

    def _order(self, region: Region) -> tuple[bool, int]:
        return region.pair.a not in self.comparison.forward, region.pair.a

    def _special(self, wrong: _Wrong) -> Found:
        (leaf, value), *_ = wrong.values.items()
        name = f"`{self.numbers.name(wrong.side, leaf)}`"
        regions = tuple(sorted(wrong.regions, key=self._order))
        unpaired: dict[Side, tuple[int, ...]] = {"a": (), "b": ()}
        constant = f"{value.flat[0]:.0f}"
        if wrong.kind == "tied wrongly":
            source = wrong.sources[leaf]
            held = self.numbers.same(self.numbers.value("b", leaf), "a")
            original = tuple(self.numbers.name("a", i) for i in (*held, source))
            text = f"The port uses {name} for both {_listed(original)}, which are two parameters in the original."
            unpaired["a"] = tuple(i for i in self.comparison.unpaired["a"] if i == source)
            pair = wrong.region.pair
            laid = pair.layout.apply(self.a.events[pair.a].value)
            return Found(
                Conversion(wrong.kind, original, (self.numbers.name("b", leaf),), text),
                regions,
                unpaired,
                Change("b", values={pair.b: laid}),
            )
        unpaired[wrong.side] = tuple(i for i in self.comparison.unpaired[wrong.side] if i == leaf)
        if wrong.side == "a":
            text = f"The port has no {name}: with {constant} in its place in the original the two agree."
            conversion = Conversion(wrong.kind, (self.numbers.name("a", leaf),), (), text)
        else:
            text = f"The original has no {name}: with {constant} in its place in the port the two agree."
            conversion = Conversion(wrong.kind, (), (self.numbers.name("b", leaf),), text)
        return Found(conversion, regions, unpaired, Change(wrong.side, values=wrong.values))

    def _context(self, region: Region) -> str:
        """Return what uses a parameter: `gates`, `attention`, or nothing known."""
        if self._operations(region) & _SOFTMAX:
            return "attention"
        return "gates" if self._gated(region) else ""

    def _gated(self, region: Region) -> bool:
        here = self._operations(region)
        return "tanh" in here and bool(here & {"logistic", "sigmoid", "exp"})

    def _operations(self, region: Region) -> set[str]:
        """Return what the port computes in a region and around it."""
        around = [self.b.events[i] for i in self.reach.around("b", region).events]
        behind = self.b.events[region.pair.b : region.pair.b + _BEHIND]
        return {one.operation.removeprefix("aten.").strip("_") for one in (*around, *behind)}


@dataclass(frozen=True)
class _Parameter:
    """A parameter of the port, and what is wrong with it."""

    leaf: int
    own: Array
    said: Said
    sources: tuple[int, ...]
    wrongs: Sequence[_Wrong]


def _listed(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
