"""The verdict on a pair: what differs, where and why; what agrees; and what could not be judged."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..tracing.alignment import Pair, is_evidence
from ..tracing.alignment import Side as Letter
from ..tracing.layouts import reshaped
from ..tracing.recording import CONSTANT, PARAMETER, Event, Recording
from ..tracing.regions import Comparison, Output, Region, Verdict, compare
from ..tracing.regions.judge import Judge
from ..tracing.regions.outputs import Way, ways
from ..tracing.regions.results import shares
from . import causes, conversions, islands
from .counterfactual import Change, Trial, corrected
from .digits import digits
from .fused import Fused, fused
from .places import places
from .precision import precision
from .recorded import Recorded, Run
from .result import (
    Cause,
    Difference,
    Island,
    Judged,
    Line,
    Mode,
    Pass,
    Result,
    Side,
)

_ORDER = ("forward", "backward", "update")


def judge(name: str, original: Recorded, port: Recorded) -> Result:
    """Judge both sides of a pair, in each mode that both have."""
    both = [mode for mode in original.runs if mode and mode in port.runs]
    pairs = [(mode, original.runs[mode], port.runs[mode]) for mode in both]
    if not pairs:
        pairs = [("", _evaluating(original), _evaluating(port))]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # of a trial that makes no sense
        modes = [_mode(mode, original, port, (a, b)) for mode, a, b in pairs]
    return Result(name, (original.framework, port.framework), modes, tuple(_notes(original, port)))


def _evaluating(side: Recorded) -> Run:
    return side.runs.get("eval") or side.runs[""]


def _notes(original: Recorded, port: Recorded) -> Iterator[str]:
    for side, own, other in (("original", original, port), ("port", port, original)):
        if "train" in own.runs and "train" not in other.runs:
            yield f"only the {side} can be told to train: it was judged as it evaluates"
    for name, value in original.defaults.items():
        if port.defaults.get(name, value) != value:
            yield (
                f"the default of the argument `{name}` is {value} in the original and {port.defaults[name]} in the port"
            )


def _mode(name: str, original: Recorded, port: Recorded, runs: tuple[Run, Run]) -> Mode:
    a, b = runs[0].recording, _adopted(runs[0].recording, runs[1].recording)
    tables = list(islands.tables(a, b))
    a, b = _corrected((a, b), [one.change for one in tables])
    same = digits(a, b)
    a, b = _corrected((a, b), same.changes)
    comparison = compare(a, b)
    wrong = conversions.find(comparison, b)
    explained = {id(region) for one in wrong for region in one.regions}
    found_islands: list[Island] = [*islands.narrowed("original", runs[0])]
    found_islands += islands.narrowed("port", runs[1])
    found_islands += [one.island for one in tables]
    # A number within a part that casts belongs to that island.
    cast = {one.side for one in found_islands}
    found_islands += [one for one in same.islands if one.side not in cast]
    differences: list[tuple[Region, Difference, tuple[Change, ...]]] = []
    misplaced = list(_misplaced(comparison))
    divergences = [*comparison.divergences, *misplaced]
    divergences.sort(key=lambda one: (one.pair.a not in comparison.forward, one.pair.a))
    for region in divergences:
        if id(region) in explained:
            continue
        found = causes.find(comparison, region)
        difference = _difference(comparison, region)
        if found is None:
            differences.append((region, difference, ()))
        else:
            differences.append((region, replace(difference, cause=found.cause), found.changes))
    told = _confirmed((a, b), wrong, differences)
    reached = ways(comparison.alignment, comparison.regions)
    parts = list(fused(comparison, reached))
    judged = tuple(_judged(comparison, reached, parts, {one.pair.b for one in misplaced}))
    missing = _missing(comparison, parts)
    notes = list(_reasons(comparison, runs, missing))
    if told.agrees:
        notes.append("with all of this put right, everything agrees")
    verdict: Verdict = "agree"
    if divergences or wrong:
        verdict = "disagree"
    elif any(missing.values()) or not _shown(comparison, judged):
        verdict = "abstain"
    return Mode(
        name,
        verdict,
        judged,
        told.differences,
        tuple(one.conversion for one in wrong),
        tuple(found_islands),
        tuple(_lines(comparison)),
        precision(original, port, runs, comparison),
        tuple(notes),
    )


def _adopted(a: Recording, b: Recording) -> Recording:
    """Return the port's recording in which arrays from outside that are the original's parameters are parameters, too.

    A port may keep running statistics, or frozen weights, beside its parameters.
    """
    known = {_sorted(event) for event in a.events if event.operation == PARAMETER}
    events = [
        replace(event, operation=PARAMETER, name=event.name or f"array {event.index}")
        if event.operation == CONSTANT and is_evidence(event) and _sorted(event) in known
        else event
        for event in b.events
    ]
    return replace(b, events=tuple(events))


def _sorted(event: Event) -> bytes:
    return np.sort(event.value.astype(np.float64), axis=None).tobytes()


def _corrected(
    recordings: tuple[Recording, Recording], changes: Sequence[Change]
) -> tuple[Recording, Recording]:
    if not changes:
        return recordings
    return _put_right(recordings[0], changes, "a"), _put_right(recordings[1], changes, "b")


def _put_right(recording: Recording, changes: Sequence[Change], side: Letter) -> Recording:
    """Return a side's recording with the changes; an array that was put in is given, and no operation's."""
    right = corrected(recording, changes, side)
    put = {i for change in changes if change.side == side for i in change.values}
    events = [
        replace(event, operation=PARAMETER, arguments=(), attributes={})
        if event.index in put and event.inputs
        else event
        for event in right.events
    ]
    return replace(right, events=tuple(events))


def _difference(comparison: Comparison, region: Region) -> Difference:
    a, b = comparison.alignment.a, comparison.alignment.b
    trial = Trial(comparison, region)
    value = a.events[region.pair.a].value
    index, values, entries = _worst(trial, region)
    return Difference(
        _pass(a, region.pair.a),
        _what(comparison, region),
        places("original", a, region.events_a),
        places("port", b, region.events_b),
        places("original", a, [one.a for one in region.inputs]),
        value.shape,
        index,
        values,
        entries,
        value.size,
        region.distance.share,
    )


def _worst(trial: Trial, region: Region) -> tuple[tuple[int, ...], tuple[float, float], int]:
    """Return the entry that differs most, in the original's array, its two values, and how many entries differ."""
    pair = region.pair
    x, y = trial.a.events[pair.a].value, trial.b.events[pair.b].value
    error = np.zeros(y.shape)
    if region.events_a or region.events_b:
        made = trial.values("a")[pair.a], trial.values("b")[pair.b]
        x, y = made[0].value, made[1].value
        error = pair.layout.apply(made[0].error) + made[1].error
    laid_out = pair.layout.apply(np.asarray(x, np.float64))
    y = np.asarray(y, np.float64)
    found = shares(laid_out, y, error)
    apart = np.where(found > 0, np.abs(laid_out - y), 0.0)
    at = np.unravel_index(int(np.where(np.isinf(found), apart, found).argmax()), found.shape)
    own = np.unravel_index(int(pair.layout.positions()[at]), x.shape)
    values = float(laid_out[at]), float(y[at])
    return tuple(int(i) for i in own), values, int((found > 1).sum())


def _pass(recording: Recording, event: int) -> Pass:
    phase = recording.events[event].phase
    return phase if phase in _ORDER else "forward"


def _what(comparison: Comparison, region: Region) -> str:
    """Return the name of the quantity in which a region ends: an output, a gradient."""
    a = comparison.alignment.a
    for name, event in a.outputs.items():
        if event == region.pair.a:
            what, _, leaf = name.rpartition(" ")
            if what == "gradient":
                return f"the gradient of {leaf}"
            return f"the {what} {leaf}".replace("the  ", "the ")
    return ""


@dataclass(frozen=True)
class _Told:
    """What is told of the divergences.

    Attributes:
        differences: those of one cause as one.
        agrees: whether the two agree in everything when all causes and conversions are put right.
    """

    differences: tuple[Difference, ...]
    agrees: bool


def _confirmed(
    recordings: tuple[Recording, Recording],
    wrong: Sequence[conversions.Found],
    found: Sequence[tuple[Region, Difference, tuple[Change, ...]]],
) -> _Told:
    """Put all causes and conversions right in the two programs, and see what is left.

    A cause stays only if with it its region is right in the whole program, too. What is a consequence of another
    difference vanishes with that, and is not told.
    """
    changes = [*(one.change for one in wrong), *(c for _, _, several in found for c in several)]
    after = compare(*_corrected(recordings, changes)) if changes else None
    left = {one.pair.a for one in after.divergences} if after else set()
    told: dict[object, Difference] = {}
    for region, difference, own in found:
        vanishes = after is not None and region.pair.a not in left
        if vanishes and difference.cause is None:
            continue
        if difference.cause is None or (own and not vanishes):
            told[region.pair.a] = replace(difference, cause=None)
            continue
        key = _key(difference.cause)
        first = told.get(key, replace(difference, times=0))
        told[key] = replace(first, times=first.times + (difference.part == first.part))
    return _Told(tuple(told.values()), after is not None and _is_right(after))


def _is_right(after: Comparison) -> bool:
    """Whether all outputs agree; arrays that were put in are not what their operations make, and need not be."""
    reached = all(one.verdict == "agree" or not one.informative for one in after.outputs)
    return reached and not after.divergences and not any(after.missing.values())


def _key(cause: Cause) -> object:
    """Return what two causes have in common if they are one: the same numbers, in the same line or of the same name."""
    lines = {(one.file, one.line) for one in cause.places if one.side == "port" and one.file}
    return cause.original, cause.port, frozenset(lines) if cause.original else cause.name


# --- What was judged, and what was not ------------------------------------------------------------


def _judged(
    comparison: Comparison,
    ways: Mapping[int, Way],
    parts: Sequence[Fused],
    misplaced: Collection[int],
) -> Iterator[Judged]:
    names = {event: name for name, event in comparison.alignment.b.outputs.items()}
    blind = {
        one.name.rpartition(" ")[2]
        for one in comparison.outputs
        if one.name.startswith("gradient ") and not one.informative
    }
    for one in comparison.outputs:
        informative = one.informative and _says_something(comparison.alignment.a, one.pair[0])
        if one.verdict == "abstain" and one.name.startswith("updated "):
            informative = informative and one.name.rpartition(" ")[2] not in blind
        yield Judged(
            one.name,
            names[one.pair[1]],
            "disagree" if one.pair[1] in misplaced else one.verdict,
            ways[one.pair[1]].share if one.pair[1] in ways else 0.0,
            informative,
            _why(comparison, one) if one.verdict == "abstain" and informative else "",
        )
    told = {name for part in parts if part.side == "a" for name in part.others}
    for part in parts:
        if part.side == "b" and part.name in told:
            continue
        recording = comparison.alignment.a if part.side == "a" else comparison.alignment.b
        informative = _says_something(recording, recording.outputs[part.name])
        others = ", ".join(part.others)
        own, theirs = (part.name, others) if part.side == "a" else (others, part.name)
        why = "a part of it is not reached" if part.verdict == "abstain" else ""
        yield Judged(own, theirs, part.verdict, part.share, informative, why)


def _misplaced(comparison: Comparison) -> Iterator[Region]:
    """Yield the regions of results that have the right numbers in another order than their names promise.

    An output of one shape has one layout; a gradient, and what an update makes, that of its parameter.
    """
    alignment = comparison.alignment
    a, b = alignment.a, alignment.b
    leaves = {event.name: event.index for event in a.events if event.operation == PARAMETER}
    layouts_of = {
        name: alignment.pair(event, quantity.b[0]).layout
        for name, event in leaves.items()
        if (quantity := alignment.of_a.get(event)) is not None
        and b.events[quantity.b[0]].operation == PARAMETER
    }
    for one in comparison.outputs:
        u, v = one.pair
        x, y = a.events[u].value, b.events[v].value
        layout = layouts_of.get(one.name.rpartition(" ")[2])
        if one.name.startswith("output") and x.shape == y.shape:
            layout = reshaped(x.shape, y.shape)
        if layout is None or layout.source != x.shape or layout.target != y.shape:
            continue
        near = alignment.tolerances["float32"] * float(np.abs(y).max(initial=0.0))
        if one.verdict == "agree" and not (np.abs(layout.apply(x) - y) <= near).all():
            region = Judge(alignment).region(Pair(u, v, "float64", layout))
            if region.verdict == "disagree":
                yield region


def _is_frozen(recording: Recording, name: str) -> bool:
    """Whether a side has a parameter, and does not train it."""
    leaves = {event.name for event in recording.events if event.operation == PARAMETER}
    return name in leaves and f"gradient {name}" not in recording.outputs


def _frozen(comparison: Comparison) -> tuple[str, ...]:
    """Return the port's gradients of what the original has, and does not train."""
    alignment = comparison.alignment
    names = {
        alignment.b.events[i].name: alignment.a.events[q.a[0]].name
        for q in alignment.quantities
        for i in q.b
    }
    return tuple(
        name
        for name in comparison.missing["b"]
        if name.startswith("gradient ")
        and _is_frozen(alignment.a, names.get(name.removeprefix("gradient "), ""))
    )


def _says_something(recording: Recording, event: int) -> bool:
    """Whether an array depends on what the model was given, and is not 0 throughout."""
    return event in recording.from_inputs and bool(recording.events[event].value.any())


def _why(comparison: Comparison, output: Output) -> str:
    """Return why an output is not agreed upon, although nothing on its way differs."""
    above = comparison.alignment.b.needed_for([output.pair[1]])
    for region in comparison.regions:
        if region.pair.b in above and region.distance.unknown:
            return f"what {', '.join(region.distance.unknown)} computes is not known"
    for region in comparison.regions:
        if region.pair.b in above and region.verdict == "abstain":
            where = places("port", comparison.alignment.b, [region.pair.b])
            at = f" ({where[0].file.rpartition('/')[2]}:{where[0].line})" if where else ""
            return f"rounding may be as large as an array on the way to it{at}"
    return "it is not reached from the inputs by arrays that both have"


def _shown(comparison: Comparison, judged: Sequence[Judged]) -> bool:
    """Whether everything that says something was reached, and something does."""
    own = any(one.distance.verdict == "disagree" for one in comparison.own)
    reached = all(one.verdict == "agree" or not one.informative for one in judged)
    return not own and reached and any(one.informative for one in judged)


def _missing(comparison: Comparison, parts: Sequence[Fused]) -> Mapping[Letter, tuple[str, ...]]:
    """Return the results of each side that the other has not, in parts or otherwise."""
    found = {(one.side, one.name) for one in parts}
    found |= {("b", name) for name in _frozen(comparison)}
    return {
        side: tuple(name for name in names if (side, name) not in found)
        for side, names in comparison.missing.items()
    }


def _sides(comparison: Comparison) -> Iterator[tuple[Side, Letter, Recording]]:
    yield "original", "a", comparison.alignment.a
    yield "port", "b", comparison.alignment.b


def _reasons(
    comparison: Comparison, runs: tuple[Run, Run], missing: Mapping[Letter, Sequence[str]]
) -> Iterator[str]:
    """Yield what was not reached, not mapped, or not informative."""
    alignment = comparison.alignment
    for side, letter, recording in _sides(comparison):
        for name in missing[letter]:
            yield f"`{name}` is only in the {side}"
        needed = recording.needed_for(list(recording.outputs.values()))
        alone = [recording.events[i] for i in comparison.unpaired[letter]]
        for used, what in ((True, "used"), (False, "not used")):
            names = [
                event.name
                for event in alone
                if event.operation == PARAMETER and (event.index in needed) == used
            ]
            if names:
                yield f"without a partner of the same numbers, {what} by the {side}: {', '.join(names)}"
    for name in _frozen(comparison):
        yield f"`{name}` is only in the port: the original does not train it"
    for (side, _, _), run in zip(_sides(comparison), runs, strict=True):
        needed = run.recording.needed_for(list(run.recording.outputs.values()))
        for end in run.recording.ends:
            if end.event is None or end.event in needed:
                at = f" at {end.source}" if end.source else ""
                yield f"the recording of the {side} ends{at}: {end.why}"
    for one in comparison.own:
        recording = alignment.a if one.side == "a" else alignment.b
        event = recording.events[one.event]
        yield (
            f"{event.operation} at {event.source} gives other numbers than its operation, by {one.distance.share:.3g} "
            "times what rounding can do: nothing that depends on it can be judged"
        )


# --- For the page ---------------------------------------------------------------------------------


def _lines(comparison: Comparison) -> Iterator[Line]:
    alignment = comparison.alignment
    for region in comparison.regions:
        original = places("original", alignment.a, [region.pair.a])
        port = places("port", alignment.b, [region.pair.b])
        if original and port and original[0].file and port[0].file:
            shape = alignment.a.events[region.pair.a].value.shape
            yield Line(original[0], port[0], region.verdict, region.distance.share, shape)
