"""The gradient of what a recorded program returns, differentiated from the recording, with a bound on its error."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .bounded import Bounded, cotangents, exact
from .recording import LEAVES, Recording
from .rules import NoRuleError, evaluated, precision_of


class UnknownGradientError(Exception):
    """A recording does not tell a gradient or a bound: the message says which line or operation hides it."""


def gradient(recording: Recording, of: str, wanted: Sequence[int]) -> list[Bounded]:
    """Differentiate an output of a recorded program, a number, with respect to leaves of the recording.

    Where rounding may decide a comparison, or a maximum is a tie, the bound covers the gradients of both sides; that of
    |x| at 0 is 0. What leaves the recording unseen is taken for a constant: see `NumpyRecorder` for what that is.

    Args:
        recording: the program.
        of: the output's name.
        wanted: the events of the leaves.

    Returns:
        The gradient for each leaf, in its shape.

    Raises:
        UnknownGradientError: an operation has no rule, a value leaves the recording, or the output is no number that
            depends on the leaves.
    """
    output = recording.outputs[of]
    event = recording.events[output]
    if event.value.size != 1 or event.value.dtype.kind != "f":
        raise UnknownGradientError(f"`{of}` is not a number")
    if recording.needed_for([output]).isdisjoint(wanted):
        raise UnknownGradientError(f"`{of}` depends on nothing that was recorded")
    leaves = {
        index: exact(leaf.value, precision_of(leaf.value.dtype))
        for index in wanted
        for leaf in [recording.events[index]]
    }
    (value,) = _evaluated(recording, [output], leaves)
    seed = exact(np.ones(value.shape), value.precision)
    return cotangents(value, seed, [leaves[index] for index in wanted])


def bounds(recording: Recording, of: Sequence[str]) -> list[Bounded]:
    """Evaluate outputs of a recorded program from its leaves, with bounds on all its rounding errors.

    Raises:
        UnknownGradientError: an operation has no rule, or a value leaves the recording.
    """
    return _evaluated(recording, [recording.outputs[name] for name in of], {})


def _evaluated(
    recording: Recording, outputs: Sequence[int], leaves: dict[int, Bounded]
) -> list[Bounded]:
    needed = recording.needed_for(outputs)
    _seen_to_the_end(recording, outputs)
    computed = sorted(i for i in needed if recording.events[i].operation not in LEAVES)
    try:
        values = evaluated(recording, computed, leaves)
    except NoRuleError as error:
        raise UnknownGradientError(str(error)) from error
    found = []
    for index in outputs:
        event = recording.events[index]
        one = values.get(index, leaves.get(index))
        if one is None:
            raise UnknownGradientError("a result was not computed from what was recorded")
        if not np.all(np.abs(one.value - event.value) <= 2 * one.error):
            raise UnknownGradientError(f"{event.operation}: its rule does not make its value")
        found.append(one)
    return found


def _seen_to_the_end(recording: Recording, outputs: Sequence[int]) -> None:
    """Raise an error if a value that may go into these outputs leaves the recording.

    What is made of an output, or after all of them, is none of theirs.
    """
    for end in recording.ends:
        late = end.event is not None and (end.event >= max(outputs) or end.event in outputs)
        given = end.event is not None and end.event not in recording.from_inputs
        if not (late or given):
            raise UnknownGradientError(f"{end.source or 'an unknown line'}: {end.why}")
