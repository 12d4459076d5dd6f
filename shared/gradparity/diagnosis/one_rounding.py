"""How small the errors of a calculation in a coarser format can be: each place at which it may round, alone.

A format explains errors only if they are not far smaller than those of one of its roundings. Each is carried out: one
operand or one result of one layer is rounded to the format, and all the rest is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..contract import Params, map_params
from ..reference.layers import Array, LinearLayer
from ..reference.passes import RIGHT, Equations, cast
from ..reference.precision import Precision
from ..reference.step import StepValues
from ..reference.updates import apply_update, zero_state
from ..verdict.case import Case


def rounded(array: Array, precision: Precision) -> Array:
    """Round to the nearest number of a format of this precision, of any exponent."""
    mantissa, exponent = np.frexp(array)
    half = array.dtype.type(precision.eps) / 2  # the spacing of mantissas in [½, 1)
    return np.asarray(np.ldexp(np.rint(mantissa / half) * half, exponent))


def with_one_rounding(case: Case, precision: Precision, *, forward: bool) -> Iterator[StepValues]:
    """Carry out the step once for each place, with this rounding alone; with `forward`, in the forward pass, too."""
    wide = case.evaluate_exactly().loss.dtype
    params = cast(case.params, wide)
    state = {
        name: cast(arrays, wide)
        for name, arrays in (zero_state(case.schedule, case.params) | dict(case.state)).items()
    }

    def after(grads: Params) -> tuple[Params, dict[str, Params]]:
        return apply_update(case.schedule, params, grads, state, case.update + 1)

    def to_format(array: Array) -> Array:
        return rounded(array, precision)

    for layer in range(len(case.params)):
        for equations in _places(layer, to_format, forward):
            found = case.evaluate_exactly(equations)
            updated, arrays = after(found.grads)
            yield StepValues(found.activations[1:], found.loss, found.grads, None, updated, arrays)
    exact = case.evaluate_exactly()
    updated, arrays = after(exact.grads)
    yield StepValues(
        updated=map_params(to_format, updated),
        state={name: map_params(to_format, array) for name, array in arrays.items()},
    )


def _places(layer: int, to_format: Callable[[Array], Array], forward: bool) -> Iterator[Equations]:
    """Yield the right equations with one operand, or one result, of one layer rounded."""

    def here(name: str, at: int | None) -> Equations:
        right: Callable[..., Any] = getattr(RIGHT, name)

        def wrong(*arguments: Any) -> Any:
            of: LinearLayer = arguments[-1]
            if of.index != layer:
                return right(*arguments)
            if at is None:
                return to_format(right(*arguments))
            operands = list(arguments)
            operands[at] = to_format(operands[at])
            return right(*operands)

        return replace(RIGHT, **{name: wrong})

    of_forward: dict[str, Sequence[int | None]] = {"weigh": (0, 1, None), "activate": (None,)}
    operands: dict[str, Sequence[int | None]] = {
        **(of_forward if forward else {}),
        "slope": (None,),
        "weight_grad": (0, 2, None),
        "bias_grad": (0, None),
        "passed_down": (1, 2, None),
    }
    for name, places in operands.items():
        yield from (here(name, at) for at in places)


def size(error: Array) -> float:
    """Compute the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(error.astype(np.float64)))))
