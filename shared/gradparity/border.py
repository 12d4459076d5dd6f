"""Call functions of other programs: give each call its own copies of arrays, and check what it returns.

Used by `guarded`, for implementations of the contract, and by `check`, for any program.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .contract import Layer, Params, Schedule, Snapshot, State
from .errors import ContractError


def call_privately(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Call a function with writable copies of all arrays among its arguments.

    Returns:
        Its result, and True if it changed one of its arrays.
    """
    copies = private((arguments, keywords))
    before = _digest(copies)
    result = function(*copies[0], **copies[1])
    return result, _digest(copies) != before


def private(value: Any) -> Any:
    """Return the same structure with every array copied."""
    return _walk(value, np.array)


def _digest(value: Any) -> str:
    digest = hashlib.sha256()
    _walk(value, lambda array: digest.update(np.ascontiguousarray(array).tobytes()))
    return digest.hexdigest()


def _walk(value: Any, visit: Callable[[np.ndarray], Any]) -> Any:
    if isinstance(value, np.ndarray):
        return visit(value)
    if isinstance(value, dict):
        return {key: _walk(item, visit) for key, item in value.items()}
    if isinstance(value, Schedule):
        rate, order = (_walk(item, visit) for item in (value.learning_rate, value.order))
        return replace(value, learning_rate=rate, order=order)
    if isinstance(value, tuple):
        items = [_walk(item, visit) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value


@dataclass(frozen=True)
class Check:
    """Checks of what one function of an implementation returned; the messages name both.

    Every method raises a ContractError, or returns a copy of what it checked.

    Attributes:
        name: the implementation's name.
        function: the function that was called.
    """

    name: str
    function: str

    def require(self, ok: bool, expected: str, received: Any) -> None:
        """Raise unless `ok`; the message says what was expected and what was received."""
        if ok:
            return
        if isinstance(received, np.ndarray):
            received = f"an array {received.shape}, {received.dtype}"
        elif not isinstance(received, str):
            received = f"{type(received).__name__} {received!r:.60}"
        raise ContractError(
            f"{self.name}: {self.function} must return {expected}; it returned {received}"
        )

    def scalar(self, what: str, value: Any) -> float:
        """Check for a float."""
        self.require(isinstance(value, float), f"{what} as a float", value)
        return float(value)

    def array(self, what: str, value: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Check for a NumPy array of this shape and dtype."""
        fits = isinstance(value, np.ndarray) and value.shape == shape and value.dtype == dtype
        self.require(fits, f"{what} as a NumPy array {shape}, {dtype}", value)
        return np.array(value)

    def params(self, what: str, value: Any, like: Params) -> Params:
        """Check for pairs (weight, bias) with the shapes and dtypes of `like`."""
        self.require(
            isinstance(value, list | tuple) and len(value) == len(like),
            f"{what} as {len(like)} pairs (weight, bias)",
            f"{len(value)} of them" if isinstance(value, list | tuple) else value,
        )
        return tuple(
            self._layer(f"{what} {index}", weight, bias, layer)
            for index, ((weight, bias), layer) in enumerate(zip(value, like, strict=True))
        )

    def _layer(self, what: str, weight: Any, bias: Any, like: Layer) -> Layer:
        if like.bias is None:
            self.require(bias is None, f"None for {what}'s bias", bias)
        own = self.array(f"{what}.weight", weight, like.weight.shape, like.weight.dtype)
        if like.bias is None:
            return Layer(own, None)
        return Layer(own, self.array(f"{what}.bias", bias, like.bias.shape, like.bias.dtype))

    def snapshot(self, snapshot: Snapshot, params: Params, updates: int) -> Snapshot:
        """Check the weights and the optimizer's state after this number of updates."""
        kept, state = snapshot
        self.require(state.updates == updates, f"a state at {updates} updates", state.updates)
        arrays = {
            name: self.params(f"state '{name}'", value, params)
            for name, value in state.arrays.items()
        }
        return Snapshot(self.params("params", kept, params), State(updates, arrays))

    def counts(self, kept: Any, expected: Iterable[int]) -> None:
        """Check for snapshots at exactly these update counts."""
        wanted = sorted(expected)
        self.require(
            set(kept) == set(wanted), f"params kept at update counts {wanted}", sorted(kept)
        )

    def snapshots(self, kept: Any, params: Params) -> dict[int, Snapshot]:
        """Check all snapshots; return them by update count, in order."""
        return {count: self.snapshot(kept[count], params, count) for count in sorted(kept)}
