"""A pair of models, as the user describes it: a file, or functions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import blame, registry
from ..border import CtrlC, interruptible
from ..errors import InputError
from .result import Side

Array = NDArray[Any]


@dataclass(frozen=True)
class Pair:
    """What is to be compared, and with what.

    Attributes:
        name: the file's name, or what it is called.
        inputs: given a random generator, makes the inputs: a dictionary, a tuple, or one array.
        original: makes the model, with weights.
        port: given the model, makes its port, with weights converted from it.
        losses: of the outputs and the inputs, for each side; None: a random projection of the outputs.
        optimizers: makes the two optimizers; None: no update is made.
        perturb: whether the original's weights are moved a little before they are converted.
    """

    name: str
    inputs: Callable[[np.random.Generator], Any]
    original: Callable[[], Any]
    port: Callable[[Any], Any]
    losses: tuple[Callable[..., Any] | None, Callable[..., Any] | None] = (None, None)
    optimizers: Callable[[], tuple[Any, Any]] | None = None
    perturb: bool = True

    def batch(self, rng: np.random.Generator) -> Mapping[str, Array] | Sequence[Array]:
        """Return the inputs as arrays, by name or in order.

        Raises:
            InputError: the user's function raised, or returned something else.
        """
        found = called("inputs(rng)", self.inputs, rng)
        by_name = isinstance(found, Mapping)
        values = list(found.values()) if by_name else list(found) if _several(found) else [found]
        arrays = [np.asarray(value) for value in values]
        if not arrays or any(array.dtype.kind not in "biuf" for array in arrays):
            raise InputError(
                "inputs(rng) must return arrays of numbers: a dictionary of them, a tuple, or one"
            )
        return dict(zip(map(str, found), arrays, strict=True)) if by_name else tuple(arrays)

    def loss(self, side: Side) -> Callable[..., Any] | None:
        """Return the user's loss for a side."""
        return self.losses[side == "port"]

    def optimizer(self, side: Side) -> Any:
        """Return the user's optimizer for a side; None if there is none.

        Raises:
            InputError: the user's function raised, or did not return two.
        """
        if self.optimizers is None:
            return None
        found = called("optimizers()", self.optimizers)
        if not isinstance(found, tuple) or len(found) != 2 or None in found:
            raise InputError("optimizers() must return two: the original's and the port's")
        return found[side == "port"]


def load(path: str) -> Pair:
    """Import a pair from a file.

    Raises:
        InputError: it does not exist, cannot be imported, or lacks one of its functions.
    """
    folder = str(Path(path).resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)  # at the end: a random.py there must not replace Python's own
    module = registry.find(path)
    lacking = [
        name for name in ("inputs", "original", "port") if not callable(getattr(module, name, None))
    ]
    if lacking:
        raise InputError(
            f"'{path}' lacks {', '.join(lacking)}: a pair has the functions inputs(rng), original() and port(original)"
        )
    own = {name: getattr(module, name, None) for name in ("loss", "original_loss", "port_loss")}
    for name, value in own.items():
        if value is not None and not callable(value):
            raise InputError(f"'{path}': {name} must be a function of the outputs and the inputs")
    losses = own["original_loss"] or own["loss"], own["port_loss"] or own["loss"]
    if (losses[0] is None) != (losses[1] is None):
        raise InputError(f"'{path}' has a loss for one side only: give both, or `loss` for both")
    return Pair(
        Path(path).name,
        module.inputs,
        module.original,
        module.port,
        losses,
        getattr(module, "optimizers", None),
        bool(getattr(module, "perturb", True)),
    )


def called(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of the user's.

    Raises:
        InputError: it raised, whatever it was; the message says where.
        CtrlC: the user interrupted it.
    """
    try:
        with interruptible():
            return function(*arguments)
    except (CtrlC, InputError):
        raise
    except BaseException as error:
        raise InputError(blame.raised(name, error)) from error


def _several(value: Any) -> bool:
    return isinstance(value, tuple | list) and any(hasattr(one, "shape") for one in value)
