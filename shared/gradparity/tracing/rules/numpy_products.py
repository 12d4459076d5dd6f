"""What NumPy's products of vectors, matrices and arrays of any rank compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..bounded import Bounded, einsum, exact, moved
from .convolutions import Geometry, convolve
from .numpy_arguments import Rule, arrays


def _dot(x: Any, y: Any, *_: Any, **__: Any) -> Bounded:
    x, y = arrays((x, y))
    if 0 in {x.ndim, y.ndim}:
        return x * y
    if y.ndim == 1:
        return x @ y
    labels = "abcdefghijklmnop"
    left, right = labels[: x.ndim - 1], labels[x.ndim - 1 : x.ndim + y.ndim - 3]
    last = labels[-1]
    return einsum(f"{left}z,{right}z{last}->{left}{right}{last}", x, y)


def _inner(x: Any, y: Any, **_: Any) -> Bounded:
    x, y = arrays((x, y))
    return x * y if 0 in {x.ndim, y.ndim} else _tensordot(x, y, (-1, -1))


def _tensordot(x: Any, y: Any, axes: Any = 2) -> Bounded:
    x, y = arrays((x, y))
    if isinstance(axes, int | np.integer):
        axes = (range(x.ndim - axes, x.ndim), range(axes))
    first, second = (
        [int(i) for i in np.atleast_1d(list(one) if np.ndim(one) else one)] for one in axes
    )
    names = [chr(ord("a") + i) for i in range(x.ndim + y.ndim)]
    left, right = names[: x.ndim], names[x.ndim :]
    for i, j in zip(first, second, strict=True):
        right[j] = left[i]
    out = [name for name in left + right if (left + right).count(name) == 1]
    return einsum(f"{''.join(left)},{''.join(right)}->{''.join(out)}", x, y)


def _einsum(spec: Any, *operands: Any, **_: Any) -> Bounded:
    if not isinstance(spec, str):
        raise TypeError("labels as numbers")
    spec, xs = spec.replace(" ", ""), arrays(operands)
    if "->" not in spec:
        letters = spec.replace("...", "").replace(",", "")
        once = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
        spec += "->" + ("..." if "..." in spec else "") + once
    inputs, out = spec.split("->")
    labels = inputs.split(",")
    if len(xs) == 1:
        return einsum(f"{labels[0]},->{out}", xs[0], exact(1.0, xs[0].precision))
    while len(xs) > 2:
        kept = out + "".join(labels[2:])
        pair = labels[0] + labels[1]
        between = ("..." if "..." in pair else "") + "".join(
            c for c in dict.fromkeys(pair.replace(".", "")) if c in kept
        )
        xs[:2] = [einsum(f"{labels[0]},{labels[1]}->{between}", xs[0], xs[1])]
        labels[:2] = [between]
    return einsum(f"{labels[0]},{labels[1]}->{out}", xs[0], xs[1])


def _outer_product(x: Any, y: Any, **_: Any) -> Bounded:
    x, y = arrays((x, y))
    return x.reshape(-1, 1) * y.reshape(1, -1)


def _convolve(x: Any, y: Any, mode: str = "full") -> Bounded:
    x, y = arrays((x, y))
    x, y = (y, x) if y.size > x.size else (x, y)
    full = y.size - 1
    padding = {"full": (full, full), "same": (full - full // 2, full // 2), "valid": (0, 0)}[mode]
    kernel = moved(lambda at: at[None, None, ::-1], y)
    found = convolve(x.reshape(1, 1, -1), kernel, Geometry.of(1, padding=[padding]))
    return found.reshape(-1)


def _chain(xs: Sequence[Any]) -> Bounded:
    found, *rest = arrays(xs)
    for x in rest:
        found = found @ x
    return found


RULES: dict[str, Rule] = {
    "dot": _dot,
    "inner": _inner,
    "outer": _outer_product,
    "linalg.outer": _outer_product,
    "tensordot": _tensordot,
    "linalg.tensordot": _tensordot,
    "einsum": _einsum,
    "vdot": lambda x, y: _inner(x.reshape(-1), y.reshape(-1)),
    "linalg.matmul": lambda x, y: x @ y,
    "linalg.multi_dot": lambda xs, **_: _chain(xs),
    "convolve": _convolve,
}
