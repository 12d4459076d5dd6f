"""What each of ATen's operations computes; a rule has the operation's own signature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import (
    torch_losses,
    torch_movement,
    torch_norms,
    torch_pointwise,
    torch_products,
    torch_reductions,
    torch_windows,
)


def _for_each(rule: Callable[..., Any]) -> Callable[..., list[Any]]:
    """Return the rule of the operation on lists: a list among the arguments has an entry for each result."""

    def of_lists(xs: Sequence[Any], *arguments: Any, **attributes: Any) -> list[Any]:
        def entry(argument: Any, i: int) -> Any:
            return argument[i] if isinstance(argument, list) else argument

        return [
            rule(x, *(entry(argument, i) for argument in arguments), **attributes)
            for i, x in enumerate(xs)
        ]

    return of_lists


RULES: dict[str, Callable[..., Any]] = {
    **torch_pointwise.RULES,
    **torch_movement.RULES,
    **torch_reductions.RULES,
    **torch_products.RULES,
    **torch_norms.RULES,
    **torch_windows.RULES,
    **torch_losses.RULES,
}
_ON_LISTS = """
    add sub mul div pow neg abs sign exp expm1 log log2 log10 log1p sqrt rsqrt reciprocal sin cos tan tanh sigmoid erf
    erfc floor ceil round trunc maximum minimum clamp_min clamp_max addcmul addcdiv lerp
"""
for name in _ON_LISTS.split():
    RULES[f"aten._foreach_{name}"] = _for_each(RULES[f"aten.{name}"])
    RULES[f"aten._foreach_{name}_"] = _for_each(RULES[f"aten.{name}"])
for name in ("copy_", "zero_"):
    RULES[f"aten._foreach_{name}"] = _for_each(RULES[f"aten.{name}"])
