"""Read a target's results, in any of the usual shapes, as the contract's arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..border import brief
from ..contract import Layer, Params, tensors
from ..errors import ContractError
from ..verdict.case import Case


class Reader:
    """Reads the results for one case.

    All methods raise a ContractError for a result of another size, or one that is not made of numbers.

    Attributes:
        narrow: the functions' results that had fewer bits than the case; these are read as None.
    """

    def __init__(self, case: Case) -> None:
        self._case = case
        self.narrow: set[str] = set()

    def loss_and_grads(self, result: Any) -> tuple[float | None, Params | None]:
        """Read a pair; the loss may be None."""
        if not isinstance(result, tuple | list) or len(result) != 2:
            raise _mismatch("loss_and_grads", "a pair (loss, grads)", result)
        loss = None if result[0] is None else self.scalar("loss_and_grads", result[0])
        return loss, self.params("loss_and_grads", "gradient", result[1])

    def activations(self, result: Any) -> list[np.ndarray | None]:
        """Read the activations of every layer, with or without the inputs before them; or only the predictions."""
        network, samples = self._case.network, len(self._case.batch[0])
        depth = len(network.layers)
        if not isinstance(result, list | tuple) or _is_table(result):
            result = [*[None] * (depth - 1), result]
        if len(result) == depth + 1:
            result = result[1:]
        if len(result) != depth:
            raise _mismatch("forward", f"{depth} activations", f"{len(result)} of them")
        return [
            None
            if activation is None
            else self._wide(
                "activations",
                self.array("forward", f"activation {at}", activation, (samples, *shape)),
            )
            for at, (activation, shape) in enumerate(zip(result, network.shapes[1:], strict=True))
        ]

    def params(self, function: str, what: str, result: Any) -> Params | None:
        """Read pairs (weight, bias), or only weights, or weights and biases in one list."""
        like = self._case.params
        rows, wanted = flat(result), tensors(like)
        names = [
            f"{what} {at}.{name}"
            for at, layer in enumerate(like)
            for name in ("weight", "bias")
            if getattr(layer, name) is not None
        ]
        if len(rows) != len(wanted):
            raise _mismatch(function, f"{len(wanted)} tensors", f"{len(rows)} of them")
        read = [
            self._wide(f"{what}s", self.array(function, name, row, tensor.shape))
            for name, row, tensor in zip(names, rows, wanted, strict=True)
        ]
        if any(array is None for array in read):
            return None
        arrays = iter(array for array in read if array is not None)
        return tuple(
            Layer(next(arrays), None if layer.bias is None else next(arrays)) for layer in like
        )

    def scalar(self, function: str, value: Any) -> float | None:
        """Read the loss."""
        read = self._wide("losses", self.array(function, "the loss", value, ()))
        return None if read is None else float(read)

    def _wide(self, what: str, array: np.ndarray) -> np.ndarray | None:
        """Return the array; None if it has fewer bits than the case, so that nothing can be said in the case's."""
        if array.dtype.kind == "f" and array.dtype.itemsize < self._case.dtype.itemsize:
            self.narrow.add(what)
            return None
        return array

    def array(self, function: str, what: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Read an array of this shape; axes of length 1 may be missing or added, as in a bias of shape (1, n)."""
        array = as_array(value)
        if array.dtype.kind not in "fiu":
            raise _mismatch(function, f"numbers for {what}", f"{array.dtype} values")
        # A transposed gradient would not fit its weight: subtracted from it, it would be broadcast.
        transposed = array.ndim == len(shape) and function != "forward"
        if not transposed and _without_ones(array.shape) == _without_ones(shape):
            array = array.reshape(shape)
        if array.shape != shape:
            raise _mismatch(function, f"{what} of shape {shape}", f"shape {array.shape}")
        return np.array(array)


def _mismatch(function: str, expected: str, received: Any) -> ContractError:
    if not isinstance(received, str):
        received = brief(received)
    return ContractError(f"{function} must return {expected}; it returned {received}")


def flat(result: Any) -> list[Any]:
    """Return the arrays in nested lists and tuples, in order, without None. Rows of numbers are arrays, too."""
    if result is None:
        return []
    if isinstance(result, list | tuple) and not _is_table(result):
        return [array for item in result for array in flat(item)]
    return [result]


def _is_table(value: Any) -> bool:
    """Return True for a row of numbers, or for rows of numbers."""
    rows = value if value and all(isinstance(row, list | tuple) for row in value) else [value]
    return all(row and all(isinstance(n, int | float | np.number) for n in row) for row in rows)


def as_array(value: Any) -> np.ndarray:
    """Turn an array, a number, a torch tensor or a JAX array into a NumPy array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise ContractError(
            f"it returned {type(value).__name__}, which is not an array: {error}"
        ) from None


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)
