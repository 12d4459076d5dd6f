"""An argument of an operation that differs: a switch, a kind, an axis, the geometry of windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ...tracing.alignment import Side
from ...tracing.recording import Event, refs
from ..counterfactual import Change
from ..result import Cause
from . import roles, signatures
from .bench import MOVES_ONLY, SIDES, Bench, Found
from .signatures import Path

_KINDS = {
    "approximate": {"none": "by erf", "tanh": "by tanh"},
    "mode": {},
}
"""The kinds that an argument chooses from, and what they are called."""

_SWITCHES = frozenset(
    ["ceil_mode", "count_include_pad", "align_corners", "unbiased", "training", "reverse", "train"]
)
_WORDS = {
    ("training", True): "those of the batch",
    ("training", False): "the running ones",
    ("reduction", 0): "none",
    ("reduction", 1): "the mean",
    ("reduction", 2): "the sum",
}
_AXES = frozenset({"dim", "axis", "axes", "dimension", "dims"})
_PAIRS = frozenset({"padding", "pad", "padding_config"})
_SMALL = frozenset(
    {"stride", "window_strides", "dilation", "rhs_dilation", "correction", "diagonal"}
)
_ONE_OF = frozenset({"reduction", "groups", "feature_group_count", "k"})

_MOST = 400
"""How many arguments are tried."""


@dataclass(frozen=True)
class _Try:
    """Another argument of a call.

    Attributes:
        event: the call's first event.
        name: of the argument.
        old, new: the whole argument.
        other: the other side's event that has it so; None if none has.
    """

    side: Side
    event: int
    name: str
    old: Any
    new: Any
    other: int | None = None


def same_operation(bench: Bench) -> Found | None:
    """Return the argument in which two calls of the same operation differ."""
    tries = []
    for one in bench.inner("b"):
        for other in bench.inner("a"):
            if one.index == one.call and signatures.operation(one) == signatures.operation(other):
                tries += list(_differing(one, other))
    return _first(bench, tries)


def find(bench: Bench) -> Found | None:
    """Return the argument that differs from what the other side's operations do."""
    return _first(
        bench,
        [
            _Try(side, event.index, name, old, new)
            for side in SIDES
            for event in bench.inner(side)
            if event.index == event.call
            for name, old in _named(event)
            for new in _others(name, old, event)
        ],
    )


def _first(bench: Bench, tries: Sequence[_Try]) -> Found | None:
    found = [one for one in islice(tries, _MOST) if bench.agrees(_change(bench, one))]
    if not found:
        return None
    told = [(_name(bench, one), _shown(one)) for one in found]
    if len(set(told)) > 1:
        return None
    one, (name, (original, port)) = found[0], told[0]
    events: dict[Side, list[int]] = {"a": [], "b": []}
    events[one.side].append(one.event)
    other: Side = "a" if one.side == "b" else "b"
    events[other].append(bench.trial.result(other) if one.other is None else one.other)
    right = original if one.side == "b" else port
    remedy = (
        f"with {name} {right} the two agree"
        if right.startswith("by ")
        else (f"with {right} the two agree")
    )
    cause = Cause(name, original, port, remedy, bench.places(events["a"], events["b"]))
    return Found(cause, (_everywhere(bench, one),))


def _name(bench: Bench, one: _Try) -> str:
    event = bench.recording(one.side).events[one.event]
    known = roles.KNOWN.get((signatures.short(event), one.name))
    if known:
        return known
    if signatures.operation(event) in MOVES_ONLY:
        return f"`{one.name}` of {signatures.short(event)}"
    return f"`{one.name}` of {signatures.short(event)}"


def _shown(one: _Try) -> tuple[str, str]:
    old, new = _written(one.name, one.old), _written(one.name, one.new)
    return (new, old) if one.side == "b" else (old, new)


def _written(name: str, value: Any) -> str:
    kinds = _KINDS.get(name, {})
    if isinstance(value, str) and value in kinds:
        return kinds[value]
    if isinstance(value, bool | int) and (name, value) in _WORDS:
        return _WORDS[name, value]
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(value, tuple) and len(set(value)) == 1 and not isinstance(value[0], tuple):
        return str(value[0])
    return str(value)


def _whole(event: Event) -> Iterator[tuple[Path, Any]]:
    """Yield the arguments of a call that hold no array."""
    for path, value in [
        *((("arguments", i), one) for i, one in enumerate(event.arguments)),
        *((("attributes", key), one) for key, one in event.attributes.items()),
    ]:
        if not any(True for _ in refs(value)):
            yield path, value


def _named(event: Event) -> Iterator[tuple[str, Any]]:
    seen = set()
    for path, value in _whole(event):
        name = signatures.argument(event, path)
        if name:
            seen.add(name)
            yield name, value
    for name, value in signatures.defaults(event).items():
        if name not in seen:
            yield name, value


def _differing(one: Event, other: Event) -> Iterator[_Try]:
    """Yield the arguments that the second's call has otherwise, each as the first's call has it."""
    of_one, of_other = dict(_named(one)), dict(_named(other))
    for name in of_one.keys() & of_other.keys():
        old, new = of_one[name], of_other[name]
        if _plain(old) != _plain(new):
            yield _Try("b", one.index, name, old, new, other.index)


def _plain(value: Any) -> Any:
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value


def _others(name: str, old: Any, event: Event) -> Iterator[Any]:
    """Yield what an argument could be instead."""
    ndim = event.value.ndim
    if name in _KINDS:
        yield from (kind for kind in _KINDS[name] if kind != old)
    elif name in _SWITCHES and isinstance(old, bool):
        yield not old
    elif name in _AXES:
        yield from _other_axes(old, ndim)
    elif name in _PAIRS and isinstance(old, list | tuple):
        yield from _shifted(old)
    elif name in _SMALL:
        yield from _near(old)
    elif name in _ONE_OF and isinstance(old, int) and not isinstance(old, bool):
        yield from (n for n in (1, 2) if n != old)


def _other_axes(old: Any, ndim: int) -> Iterator[Any]:
    if isinstance(old, int) and not isinstance(old, bool):
        yield from (axis for axis in range(-1, -ndim - 1, -1) if axis not in (old, old - ndim))
    elif isinstance(old, list | tuple) and len(old) == 1 and isinstance(old[0], int):
        kind: Callable[[Any], Any] = list if isinstance(old, list) else tuple
        yield from (kind([axis]) for axis in range(ndim) if axis != old[0] % max(ndim, 1))


def _shifted(old: Sequence[Any]) -> Iterator[Any]:
    """Yield paddings of the same sum, low and high: SAME against symmetric, causal against centred."""
    kind: Callable[[Any], Any] = list if isinstance(old, list) else tuple
    if all(isinstance(one, list | tuple) and len(one) >= 2 for one in old):
        pairs = [tuple(one) for one in old]
    elif len(old) % 2 == 0 and all(isinstance(one, int) for one in old):
        pairs = [(old[i], old[i + 1]) for i in range(0, len(old), 2)]
    else:
        return
    nested = not isinstance(old[0], int)

    def rebuilt(new: Sequence[tuple[int, ...]]) -> Any:
        if nested:
            inner: Callable[[Any], Any] = type(old[0])
            return kind(inner(one) for one in new)
        return kind(n for one in new for n in one)

    totals = [pair[0] + pair[1] for pair in pairs]
    splits: tuple[Callable[[int], int], ...] = (
        lambda t: t // 2,
        lambda t: t - t // 2,
        lambda t: t,
        lambda t: 0,
    )
    """How much of a padding lies in front: half of it, rounded down or up, all, none."""
    seen = {tuple(pairs)}
    for split in splits:
        every = tuple((split(t), t - split(t), *p[2:]) for p, t in zip(pairs, totals, strict=True))
        each = [
            (*pairs[:i], every[i], *pairs[i + 1 :]) for i in range(len(pairs)) if len(pairs) > 1
        ]
        for new in (every, *each):
            if new not in seen:
                seen.add(new)
                yield rebuilt(new)


def _near(old: Any) -> Iterator[Any]:
    """Yield integers near to it; lists all over."""
    if isinstance(old, bool):
        return
    if isinstance(old, int):
        yield from (old + step for step in (-1, 1, -2, 2))
    elif isinstance(old, float) and old.is_integer():
        yield from (old - 1, old + 1)
    elif isinstance(old, list | tuple) and old and all(isinstance(n, int) for n in old):
        kind: Callable[[Any], Any] = list if isinstance(old, list) else tuple
        yield from (kind([n] * len(old)) for n in (1, 2, 3) if [n] * len(old) != list(old))


def _change(bench: Bench, one: _Try) -> Change:
    events = bench.recording(one.side).events
    return Change(one.side, {one.event: signatures.called(events[one.event], one.name, one.new)})


def _everywhere(bench: Bench, one: _Try) -> Change:
    """Return the change at every call that the same line makes so, backward as well."""
    events = bench.recording(one.side).events
    own = events[one.event]
    family = signatures.short(own).removesuffix("_backward").removesuffix("_backward_data")
    calls = dict(_change(bench, one).calls)
    for event in events:
        if event.index != event.call or event.source != own.source or event.source is None:
            continue
        if signatures.short(event).startswith(family) and _plain(
            dict(_named(event)).get(one.name)
        ) == (_plain(one.old)):
            calls[event.index] = signatures.called(event, one.name, one.new)
    return Change(one.side, calls)
