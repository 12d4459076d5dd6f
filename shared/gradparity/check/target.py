"""What is checked: whatever a target offers, brought into the shape of the contract's functions.

A target may be an implementation of the contract or of a part of it; a `torch.nn.Module`; a JAX loss function; or
anything at all, with an adapter: a file with some of the contract's functions, each with the target put before its
arguments, and constants that state what the target can run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..contract import Layer, Network, Params, map_params, tensors
from ..errors import ContractError, InputError
from ..guarded import Guarded
from ..reference.step import StepValues
from ..verdict.case import Case

FUNCTIONS = ("forward", "loss", "loss_and_grads", "step", "train")
"""What a target may offer.

`forward`, `loss_and_grads` and `train` are the contract's; `loss(network, params, inputs, targets)`, and
`step(network, params, inputs, targets, learning_rate)`, which returns the params after one update on this batch.
"""


class TargetRaisedError(ContractError):
    """The target raised an exception: what it cannot run is not judged."""


@dataclass(frozen=True)
class Limits:
    """The only thing a target can run; None: anything.

    An adapter states them as constants: WIDTHS = (2, 4, 4, 1); BIASES = False, or one for each layer;
    SAMPLES = 21; LEARNING_RATE = 0.1.
    """

    widths: tuple[int, ...] | None = None
    biases: tuple[bool, ...] | None = None
    samples: int | None = None
    learning_rate: float | None = None

    @classmethod
    def stated(cls, adapter: Any) -> Limits:
        """The limits that an adapter states.

        Raises:
            InputError: a constant of another type or size.
        """
        widths, biases = getattr(adapter, "WIDTHS", None), getattr(adapter, "BIASES", None)
        samples, rate = getattr(adapter, "SAMPLES", None), getattr(adapter, "LEARNING_RATE", None)
        if widths is not None and (
            len(tuple(widths)) < 2 or not all(isinstance(n, int) and n > 0 for n in widths)
        ):
            raise InputError(
                f"the adapter's WIDTHS must be whole numbers, inputs first: {widths!r}"
            )
        if isinstance(biases, bool):
            biases = (biases,)
        if biases is not None and len(biases) not in {1, *([len(widths) - 1] if widths else [])}:
            raise InputError(f"the adapter's BIASES must be one bool, or one a layer: {biases!r}")
        if samples is not None and not (isinstance(samples, int) and samples > 1):
            raise InputError(f"the adapter's SAMPLES must be a whole number above 1: {samples!r}")
        if rate is not None and not (isinstance(rate, int | float) and rate > 0):
            raise InputError(f"the adapter's LEARNING_RATE must be a positive number: {rate!r}")
        return cls(
            None if widths is None else tuple(widths),
            None if biases is None else tuple(map(bool, biases)),
            samples,
            None if rate is None else float(rate),
        )


@dataclass
class Target:
    """A target behind a border: private copies go in, and what comes out is brought into the contract's shapes.

    Attributes:
        name: as the user gave it.
        kind: what it was taken for, in words.
        functions: those of `FUNCTIONS` that it offers.
        limits: what it can run.
        contract: it is an implementation of the contract, whose loss is the MSE; any other may have another convention.
        notes: what was seen beside the numbers.
        narrow: it returned float32 where float64 went in.
    """

    name: str
    kind: str
    functions: Mapping[str, Callable[..., Any]]
    limits: Limits = Limits()
    contract: bool = False
    notes: dict[str, None] = field(default_factory=dict)
    narrow: bool = False

    @property
    def trains(self) -> bool:
        """Whether it can be restarted at any step."""
        return "train" in self.functions

    @property
    def tells_gradients(self) -> bool:
        """Whether back-propagation can be judged by what it offers."""
        return bool({"loss_and_grads", "step", "train"} & set(self.functions))

    def observe(self, case: Case) -> list[tuple[Case, StepValues]]:
        """What the target makes of a case: of its update, and of the next one where it trains.

        Raises:
            TargetRaisedError: it raised.
            ContractError: it returned something of another shape or type.
        """
        network, params = case.network, case.params
        inputs, targets = case.batch
        step = StepValues()
        if "loss_and_grads" in self.functions:
            result = self._call("loss_and_grads", network, params, inputs, targets)
            if not isinstance(result, tuple | list) or len(result) != 2:
                raise self._wrong("loss_and_grads", "a pair (loss, grads)", result)
            loss = None if result[0] is None else self._scalar("loss_and_grads", result[0], case)
            grads = self._params("loss_and_grads", "gradient", result[1], case)
            step = StepValues(loss=loss, grads=grads)
        elif "loss" in self.functions:
            told = self._call("loss", network, params, inputs, targets)
            step = StepValues(loss=self._scalar("loss", told, case))
        if "forward" in self.functions:
            result = self._call("forward", network, params, inputs)
            activations = self._activations(result, case, len(inputs))
            step = StepValues(activations, step.loss, step.grads)
        if self.trains:
            (_, trained), *following = case.observe_training(Guarded(self.name, self.trainer()))
            shown = replace(trained, activations=step.activations, loss=step.loss, grads=step.grads)
            return [(case, shown), *following]
        if "step" in self.functions:
            rate = case.schedule.learning_rate
            result = self._call("step", network, params, inputs, targets, learning_rate=rate)
            updated = self._params("step", "weight", result, case)
            step = StepValues(step.activations, step.loss, step.grads, None, updated)
        return [(case, step)]

    def trainer(self) -> Any:
        """Its `train`, as an object of its own."""
        target = self

        class Trainer:
            def train(self, *arguments: Any, **keywords: Any) -> Any:
                return target.functions["train"](*arguments, **keywords)

        return Trainer()

    def _call(self, function: str, network: Network, *arguments: Any, **keywords: Any) -> Any:
        copies = [_copy(argument) for argument in arguments]
        before = _digest(copies)
        try:
            result = self.functions[function](network, *copies, **keywords)
        except (Exception, SystemExit) as error:
            raise TargetRaisedError(f"{function} raised {type(error).__name__}: {error}") from error
        if _digest(copies) != before:
            self.notes[f"{function} changes the arrays that it is given"] = None
        return result

    def _activations(self, result: Any, case: Case, samples: int) -> list[np.ndarray | None]:
        """Those of every layer, or the predictions alone."""
        layers = case.network.layers
        if not isinstance(result, list | tuple) or _is_table(result):
            result = [*[None] * (len(layers) - 1), result]
        if len(result) == len(layers) + 1:  # with the inputs before them
            result = result[1:]
        if len(result) != len(layers):
            raise self._wrong("forward", f"{len(layers)} activations", f"{len(result)} of them")
        return [
            None
            if activation is None
            else self._array("forward", f"activation {at}", activation, (samples, *shape), case)
            for at, (activation, shape) in enumerate(
                zip(result, case.network.shapes[1:], strict=True)
            )
        ]

    def _params(self, function: str, what: str, result: Any, case: Case) -> Params:
        """From pairs (weight, bias), or weights alone, or weights and biases in one row."""
        rows = _flat(result)
        wanted = tensors(case.params)
        names = [
            f"{what} {at}.{name}"
            for at, layer in enumerate(case.params)
            for name in ("weight", "bias")
            if getattr(layer, name) is not None
        ]
        if len(rows) != len(wanted):
            raise self._wrong(function, f"{len(wanted)} tensors", f"{len(rows)} of them")
        arrays = iter(
            self._array(function, name, row, like.shape, case)
            for name, row, like in zip(names, rows, wanted, strict=True)
        )
        return tuple(
            Layer(next(arrays), None if layer.bias is None else next(arrays))
            for layer in case.params
        )

    def _array(
        self, function: str, what: str, value: Any, shape: tuple[int, ...], case: Case
    ) -> np.ndarray:
        array = _numpy(value)
        if array.dtype.kind not in "fiu":
            raise self._wrong(function, f"numbers for {what}", f"{array.dtype} values")
        if array.shape != shape and _without_ones(array.shape) == _without_ones(shape):
            array = array.reshape(shape)  # a bias as (1, n), say
        if array.shape != shape:
            raise self._wrong(function, f"{what} of shape {shape}", f"shape {array.shape}")
        if array.dtype.kind == "f" and array.dtype.itemsize < case.dtype.itemsize:
            self.narrow = True
        return np.array(array)

    def _scalar(self, function: str, value: Any, case: Case) -> float:
        return float(self._array(function, "the loss", value, (), case))

    def _wrong(self, function: str, expected: str, received: Any) -> ContractError:
        if not isinstance(received, str):
            received = f"{type(received).__name__} {received!r:.60}"
        return ContractError(f"{function} must return {expected}, it returned {received}")


def _copy(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np.array(value)
    return map_params(np.array, value)


def _digest(values: Sequence[Any]) -> str:
    digest = hashlib.sha256()
    for value in values:
        for array in [value] if isinstance(value, np.ndarray) else tensors(value):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _flat(result: Any) -> list[Any]:
    """The arrays of nested lists and tuples in their order, without what is None. Rows of numbers are arrays too."""
    if result is None:
        return []
    if isinstance(result, list | tuple) and not _is_table(result):
        return [array for item in result for array in _flat(item)]
    return [result]


def _is_table(value: Any) -> bool:
    """A row of numbers, or rows of numbers."""
    rows = value if value and all(isinstance(row, list | tuple) for row in value) else [value]
    return all(row and all(isinstance(n, int | float | np.number) for n in row) for row in rows)


def _numpy(value: Any) -> np.ndarray:
    """NumPy's view of an array, a number, a torch tensor or a JAX array."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise ContractError(
            f"it returned {type(value).__name__}, which is no array: {error}"
        ) from None


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)
