"""What each operation of a framework computes, as algebra with `Bounded` arrays.

A table for each framework, `RULES`: the operation's name in a recording, and a function with the operation's own
signature, which takes and returns `Bounded` where the operation takes and returns arrays. The bound and the derivative
follow from `bounded`. No table imports its framework.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...reference.precision import Precision
from ..bounded import Bounded, cast, exact
from ..recording import LEAVES, Event, Recording, with_values

Rule = Callable[..., Any]


class NoRuleError(Exception):
    """What an operation computes is not known, or not in the form in which it was called.

    Attributes:
        operation: its name.
    """

    def __init__(self, operation: str, why: str = "no rule") -> None:
        super().__init__(f"{operation}: {why}")
        self.operation = operation


def rules(framework: str) -> Mapping[str, Rule]:
    """Return the table of `numpy`, `torch` or `jax`."""
    table: Mapping[str, Rule] = import_module(f"{__name__}.{framework}_rules").RULES
    return table


def evaluate(
    recording: Recording, call: int, values: Callable[[int], Bounded]
) -> tuple[Bounded, ...]:
    """Evaluate one call of an operation.

    Args:
        recording: where the call stands.
        call: the index of the first event that it made.
        values: the value of each event that went in.

    Returns:
        The value of each event that it made, in order.

    Raises:
        NoRuleError: what the operation computes is not known.
    """
    event = recording.events[call]
    rule = rules(recording.framework).get(event.operation)
    if rule is None:
        raise NoRuleError(event.operation)

    def operand(index: int) -> Bounded:
        return _in_the_format_of(event, values(index))

    arguments = with_values(event.arguments, operand)
    attributes = with_values(dict(event.attributes), operand)
    try:
        found = rule(*arguments, **attributes)
    except (
        Exception
    ) as error:  # an unforeseen form of the call: one operation abstains, the rest is judged
        raise NoRuleError(event.operation, str(error)) from error
    results = found if isinstance(found, tuple | list) else (found,)
    results = tuple(result for result in results if result is not None)
    for one, result in zip(recording.events[call:], results, strict=False):
        if one.call == call and one.value.shape != result.shape:
            raise NoRuleError(event.operation, f"the rule makes shape {result.shape}")
    return results


def as_recorded(value: NDArray[Any]) -> Bounded:
    """Return a recorded array as what it is, without error, in its own format; integers and bools in float64."""
    return exact(value, Precision.of(value.dtype if value.dtype.kind == "f" else np.float64))


def evaluated(
    recording: Recording, events: Sequence[int], given: Mapping[int, Bounded]
) -> dict[int, Bounded]:
    """Evaluate operations of a recording, in order, from given values of the events above; leaves are as recorded.

    Raises:
        NoRuleError: what one of them computes is not known.
    """
    values = dict(given)

    def value(index: int) -> Bounded:
        if index not in values:
            values[index] = as_recorded(recording.events[index].value)
        return values[index]

    for index in events:
        if recording.events[index].operation in LEAVES:
            value(index)
        elif index not in values:
            call = recording.events[index].call
            for n, result in enumerate(evaluate(recording, call, value)):
                values.setdefault(call + n, result)
    return values


def _in_the_format_of(event: Event, x: Bounded) -> Bounded:
    """Convert an operand to the format in which the operation computes: that of its result."""
    if event.value.dtype.kind != "f":
        return x
    precision = precision_of(event.format or event.value.dtype)
    return cast(x, precision) if x.floating else Bounded(x.value, x.error, precision)


def precision_of(dtype: Any) -> Precision:
    """Return a floating-point format by its dtype or name, `bfloat16` included."""
    return _BFLOAT16 if dtype == "bfloat16" else Precision.of(np.dtype(dtype))


_BFLOAT16 = Precision("bfloat16", 2.0**-7, 2.0**-126, (2 - 2.0**-7) * 2.0**127)


def dtype_of(x: Bounded) -> np.dtype[Any]:
    """Return the dtype that the program's array has."""
    return np.dtype(x.precision.name) if x.floating else x.value.dtype
