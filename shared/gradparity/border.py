"""Call functions of other programs: give each call its own copies of arrays, and check what it returns.

Used by `guarded`, for implementations of the contract, and by `check`, for any program.
"""

from __future__ import annotations

import hashlib
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, NoReturn

import numpy as np

from . import blame
from .contract import Layer, Params, Schedule, Snapshot, State
from .errors import ContractError, TargetRaisedError


class CtrlC(KeyboardInterrupt):
    """The user's own interrupt, as opposed to a KeyboardInterrupt that the target raises."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Within, the user's interrupt raises CtrlC, so that everything else that the target raises can be caught."""
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _raise_ctrl_c)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is _raise_ctrl_c:  # the target may have set its own
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _raise_ctrl_c(_: int, __: FrameType | None) -> NoReturn:
    raise CtrlC


def call_privately(
    name: str, function: Callable[..., Any], *arguments: Any, **keywords: Any
) -> Any:
    """Call a target's function, known by this name, with writable copies of all arrays among its arguments.

    Returns:
        Its result; True if it changed one of its arrays; and the arguments as it left them.

    Raises:
        TargetRaisedError: it raised, whatever it was: an exit and an interrupt of its own are errors, too.
        CtrlC: the user interrupted it.
    """
    copies = private((arguments, keywords))
    before = _digest(copies)
    try:
        with interruptible():
            result = function(*copies[0], **copies[1])
    except CtrlC:
        raise
    except BaseException as error:
        raise TargetRaisedError(blame.raised(name, error)) from error
    return result, _digest(copies) != before, copies[0]


def seed_generators(seed: int) -> None:
    """Seed the generators from which programs draw that have none of their own, of all that is imported."""
    # NumPy's legacy generator, which ruff would have nobody use, is the one that `np.random.normal` draws from.
    np.random.seed(seed)  # noqa: NPY002
    if "random" in sys.modules:
        sys.modules["random"].seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


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


def brief(value: Any) -> str:
    """Return the type of a target's value and the beginning of what it looks like."""
    try:
        return f"{type(value).__name__} {blame.printable(repr(value)):.60}"
    except Exception:  # its `__repr__` is the target's code
        return type(value).__name__


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Within, whatever goes wrong while a target's result is read is a ContractError: no result ends the judge.

    Args:
        what: the function that returned it, for the message.
    """
    try:
        with interruptible():
            yield
    except (ContractError, CtrlC):
        raise
    except BaseException as error:
        raise ContractError(
            f"{what} returned something that cannot be read: {blame.described(error)}"
        ) from error


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

    @property
    def what(self) -> str:
        """The implementation and its function, for messages."""
        return f"{self.name}: {self.function}"

    def require(self, ok: bool, expected: str, received: Any) -> None:
        """Raise unless `ok`; the message says what was expected and what was received."""
        if ok:
            return
        if isinstance(received, np.ndarray):
            received = f"an array {received.shape}, {received.dtype}"
        elif not isinstance(received, str):
            received = brief(received)
        raise ContractError(f"{self.what} must return {expected}; it returned {received}")

    def scalar(self, what: str, value: Any) -> float:
        """Check for a float."""
        self.require(isinstance(value, float), f"{what} as a float", value)
        return float(value)

    def array(self, what: str, value: Any, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Check for a NumPy array of this shape and dtype."""
        fits = isinstance(value, np.ndarray) and value.shape == shape and value.dtype == dtype
        if not fits:  # a message for each array of a long run would take longer than the check
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
            self._layer(f"{what} {index}", pair, layer)
            for index, (pair, layer) in enumerate(zip(value, like, strict=True))
        )

    def _layer(self, what: str, pair: Any, like: Layer) -> Layer:
        is_pair = isinstance(pair, list | tuple) and len(pair) == 2
        self.require(is_pair, f"{what} as a pair (weight, bias)", pair)
        weight, bias = pair
        if like.bias is None:
            self.require(bias is None, f"None for {what}'s bias", bias)
        own = self.array(f"{what}.weight", weight, like.weight.shape, like.weight.dtype)
        if like.bias is None:
            return Layer(own, None)
        return Layer(own, self.array(f"{what}.bias", bias, like.bias.shape, like.bias.dtype))

    def seconds(self, what: str, value: Any) -> float:
        """Check for a duration."""
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        self.require(is_number and 0 <= value < np.inf, f"{what} as a number of seconds", value)
        return float(value)

    def snapshot(self, what: str, snapshot: Any, params: Params, updates: int) -> Snapshot:
        """Check the weights and the optimizer's state after this number of updates."""
        is_pair = isinstance(snapshot, tuple) and len(snapshot) == 2
        self.require(is_pair, f"{what} as a Snapshot (params, state)", snapshot)
        kept, state = snapshot
        self.require(isinstance(state, State), f"{what}'s state as a State", state)
        self.require(isinstance(state.arrays, Mapping), "a State's arrays by name", state.arrays)
        self.require(state.updates == updates, f"a state at {updates} updates", state.updates)
        arrays = {
            name: self.params(f"state '{name}'", value, params)
            for name, value in state.arrays.items()
        }
        return Snapshot(self.params(what, kept, params), State(updates, arrays))

    def counts(self, kept: Any, expected: Iterable[int]) -> None:
        """Check for snapshots at exactly these update counts."""
        wanted = sorted(expected)
        self.require(isinstance(kept, Mapping), "kept by update counts", kept)
        self.require(
            set(kept) == set(wanted), f"params kept at update counts {wanted}", sorted(kept)
        )

    def snapshots(self, kept: Any, params: Params) -> dict[int, Snapshot]:
        """Check all snapshots; return them by update count, in order."""
        return {
            count: self.snapshot(f"kept[{count}]", kept[count], params, count)
            for count in sorted(kept)
        }
