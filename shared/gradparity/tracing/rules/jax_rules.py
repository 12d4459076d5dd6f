"""What the primitives of JAX compute: `jax.lax`, whose documentation gives each parameter.

Without a rule are random numbers, linear algebra beyond products, Fourier transforms, complex numbers, bfloat16, and
what leaves JAX.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...reference.precision import Precision
from ..bounded import Bounded, exact
from . import Rule, jax_movement, jax_pointwise, jax_reductions

_DOUBLE = Precision.of(np.float64)


def _on_arrays(rule: Rule) -> Rule:
    """Let a rule take numbers in the place of arrays: those that stand in the program."""

    def operand(x: Any) -> Bounded:
        if isinstance(x, Bounded):
            return x
        array = np.asarray(x)
        return exact(array, Precision.of(array.dtype) if array.dtype.kind == "f" else _DOUBLE)

    return lambda *xs, **parameters: rule(*map(operand, xs), **parameters)


RULES: Mapping[str, Rule] = {
    name: _on_arrays(rule)
    for table in (jax_pointwise.RULES, jax_reductions.RULES, jax_movement.RULES)
    for name, rule in table.items()
}
