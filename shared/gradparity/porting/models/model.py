"""What every model can do, and what it is asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ...tracing.recording import Recording

Mode = Literal["eval", "train"]
Array = NDArray[Any]

PROJECTION = "projection of "
"""The inputs with which the loss weights the outputs are named `projection of output`."""


@dataclass(frozen=True)
class Task:
    """What a model is asked.

    Attributes:
        inputs: by name, or in order: what the model is called with.
        mode: None for a model that knows no modes.
        projections: the weights of each output in the loss.
        loss: the user's, of the outputs and the inputs, instead.
        optimizer: makes the updates; None: none is made.
        native: whether to run in the format of the model's parameters, with gradients; else in float64.
    """

    inputs: Mapping[str, Array] | Sequence[Array]
    mode: Mode | None
    projections: Mapping[str, Array]
    loss: Callable[[Any, Any], Any] | None = None
    optimizer: Any = None
    native: bool = False

    def named_inputs(self) -> Iterator[tuple[str, Array]]:
        """Yield the inputs by name; those that are given in order are `input 0`, `input 1`."""
        if isinstance(self.inputs, Mapping):
            yield from self.inputs.items()
        else:
            yield from ((f"input {at}", one) for at, one in enumerate(self.inputs))

    def given_to(
        self, function: Callable[..., Any], inputs: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments with which a function is called: the inputs by name if it takes these, else in order."""
        by_name = isinstance(self.inputs, Mapping) and _takes(function, self.inputs)
        return ((), dict(inputs)) if by_name else (tuple(inputs.values()), {})

    def loss_of(
        self,
        found: Any,
        outputs: Mapping[str, Any],
        projections: Mapping[str, Any],
        inputs: Mapping[str, Any],
    ) -> Any:
        """Return the loss of what a model returned: the user's, or the projection of its outputs.

        Args:
            found: what it returned.
            outputs: the arrays in it, by name.
            projections: the weights of each, as arrays of its framework.
            inputs: what it was given, likewise.
        """
        if self.loss is not None:
            return self.loss(
                found, inputs if isinstance(self.inputs, Mapping) else tuple(inputs.values())
            )
        terms = [(outputs[name] * weights).sum() for name, weights in projections.items()]
        return sum(terms[1:], start=terms[0])


_TRAINS = ("train", "training", "is_training")
_EVALUATES = ("deterministic", "inference", "use_running_average")
"""Arguments by which a model is told its mode: True for training, and True for evaluation."""

_BITS = 15

GRADIENTS = (1.0, 0.625)
"""Factors on the gradient in an optimizer's updates: two, since after the first its state is no longer what it began
with; and different ones, since from one and the same gradient a corrected mean is the same after both."""


class Model(Protocol):
    """A model with its weights."""

    framework: str
    """`torch`, `flax.linen`, `flax.nnx`, `equinox`, `haiku`, `jax` or `numpy`."""

    formats: str
    """The floating-point format of its parameters, as the user made them: `float32`."""

    def modes(self) -> bool:
        """Whether it can be told to evaluate or to train."""

    def parameters(self) -> dict[str, Array]:
        """Return copies of its parameters and running statistics, by name."""

    def signature(self) -> Callable[..., Any]:
        """Return the function whose arguments are the model's."""

    def perturb(self, rng: np.random.Generator) -> None:
        """Move every parameter and running statistic a little."""

    def given(self, double: bool = False) -> Any:
        """Return the model in the form in which the user gave it; if `double`, a copy in float64."""

    def run(self, task: Task) -> dict[str, Array]:
        """Return the outputs by name, unrecorded; if `task.native`, also `gradient NAME` of each parameter."""

    def record(self, task: Task) -> Recording:
        """Record outputs, loss, gradients and updates in float64, casts to shorter formats included."""


def named(value: Any, name: str = "") -> dict[str, Any]:
    """Return the leaves of nested dictionaries, lists, tuples and records, by their paths: `blocks.0.weight`."""
    items: Any
    if isinstance(value, Mapping):
        items = value.items()
    elif hasattr(value, "_asdict"):
        items = value._asdict().items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    elif hasattr(value, "__dataclass_fields__"):
        items = ((field, getattr(value, field)) for field in value.__dataclass_fields__)
    else:
        return {name: value}
    found: dict[str, Any] = {}
    for key, one in items:
        found |= named(one, f"{name}.{key}" if name else str(key))
    return found


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """Return a tree of the same structure with a function applied to its leaves, in order."""
    if isinstance(tree, Mapping):
        return {key: mapped(function, one) for key, one in tree.items()}
    if isinstance(tree, list | tuple):
        items = [mapped(function, one) for one in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else type(tree)(items)
    if hasattr(tree, "__dataclass_fields__"):
        names = tree.__dataclass_fields__
        return replace(tree, **{name: mapped(function, getattr(tree, name)) for name in names})
    return function(tree)


def outputs_of(value: Any, is_array: Callable[[Any], bool]) -> dict[str, Any]:
    """Return a model's arrays by name: `output`, `output 0`, `output logits`; what is no array is left out."""
    leaves = named(value)
    return {f"output {name}".strip(): one for name, one in leaves.items() if is_array(one)}


def moved(name: str, array: Array, rng: np.random.Generator) -> Array:
    """Return a parameter or a statistic moved by about a tenth, in its own format; a variance stays positive."""
    noise = rng.standard_normal(array.shape)
    if "var" in name.rpartition(".")[2].lower():
        return coarse(np.asarray(array * np.exp(0.2 * noise), array.dtype))
    size = float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) if array.size else 0.0
    return coarse(np.asarray(array + 0.1 * (size or 0.5) * noise, array.dtype))


def coarse(array: Array) -> Array:
    """Return an array with entries of a few digits: a fixed point, 2⁻¹⁵ of the largest.

    What a conversion computes of such numbers in float32, as the sum of two biases, is then exact.
    """
    largest = float(np.abs(array).max(initial=0.0))
    unit = 2.0 ** (np.ceil(np.log2(largest)) - _BITS) if largest else 1.0
    return np.asarray(np.rint(array / unit) * unit, array.dtype)


def told(function: Callable[..., Any], mode: Mode | None) -> dict[str, bool]:
    """Return the arguments that tell a function its mode; without a mode, that it evaluates."""
    trains = mode == "train"
    both = dict.fromkeys(_TRAINS, trains) | dict.fromkeys(_EVALUATES, not trains)
    return {name: value for name, value in both.items() if name in parameters_of(function)}


def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return a function's parameters by name; of one that tells nothing of itself, that it takes any."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # compiled, or with a signature of its own that is none
        anything = inspect.Parameter("keywords", inspect.Parameter.VAR_KEYWORD)
        return {anything.name: anything}


def _takes(function: Callable[..., Any], names: Iterable[str]) -> bool:
    """Whether a function takes arguments with all of these names."""
    parameters = parameters_of(function).values()
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return True
    return set(names) <= {one.name for one in parameters if one.kind is not one.POSITIONAL_ONLY}
