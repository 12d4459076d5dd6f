"""The arguments of NumPy's functions, and rules for those that compute with integers or bools alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ...reference.precision import Precision
from ..bounded import Bounded, constant, exact, moved

Rule = Callable[..., Any]


def array(x: Any, like: Sequence[Any] = ()) -> Bounded:
    """Return an argument as `Bounded`: a list stacked, a number in the format of those that it is `like`."""
    if isinstance(x, Bounded):
        return x
    if isinstance(x, list | tuple) and any(isinstance(one, Bounded | list | tuple) for one in x):
        return moved(lambda *at: np.stack(at), *arrays(x))
    return constant(x, precision_of(like))


def precision_of(arguments: Any) -> Precision:
    """Return the format of the first array, within lists, too."""
    return next(within(arguments)).precision


def within(arguments: Any) -> Iterator[Bounded]:
    """Yield the arrays among the arguments, within lists, too."""
    if isinstance(arguments, Bounded):
        yield arguments
    elif isinstance(arguments, list | tuple):
        for one in arguments:
            yield from within(one)


def arrays(xs: Sequence[Any]) -> list[Bounded]:
    """Return arguments as `Bounded`; at least one of them is an array."""
    return [array(one, xs) for one in xs]


def plain(argument: Any) -> Any:
    """Return indices, counts and masks as plain arrays. They must not be in doubt."""
    if isinstance(argument, Bounded):
        if argument.error.any():
            raise ValueError("rounding decides an index")
        return argument.value
    if isinstance(argument, list | tuple):
        return type(argument)(plain(one) for one in argument)
    if isinstance(argument, dict):
        return {key: plain(one) for key, one in argument.items() if key != "out"}
    if isinstance(argument, slice):
        return slice(plain(argument.start), plain(argument.stop), plain(argument.step))
    return argument


def everywhere(given: Any) -> None:
    """Raise ValueError for an argument `where`: what stands elsewhere is not recorded."""
    if given is not True:
        raise ValueError("`where`")


def logical(x: Bounded) -> Bounded:
    """Return which entries are true."""
    return x if x.value.dtype == bool else x != 0


def exactly(function: Callable[..., Any]) -> Rule:
    """Return the rule of a function of integers or of exact numbers, whose results are integers or bools."""

    def rule(*xs: Any, **attributes: Any) -> Any:
        precision = precision_of(xs)
        found = function(*map(plain, xs), **plain(attributes))
        if isinstance(found, tuple | list):
            return tuple(exact(one, precision) for one in found)
        return exact(found, precision)

    return rule
