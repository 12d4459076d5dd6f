"""What an implementation is: three functions, NumPy arrays at the boundary.

An implementation is a module, or any object, with `forward`, `loss_and_grads` and `train`. Inside, it uses
its framework's own types. It needs to import nothing from here: the arguments are plain named tuples
and dataclasses, and `Layer` results may be any pair `(weight, bias)`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from jaxtyping import Float, Float64, Int

Activation = Literal["sigmoid"]
Loss = Literal["mse"]
Optimizer = Literal["sgd"]
DType = Literal["float64", "float32"]

Batch = Float[np.ndarray, "samples _"]


class Layer(NamedTuple):
    """A dense layer's parameters: outputs = activation(inputs @ weight + bias). Gradients have this type too."""

    weight: Float[np.ndarray, "fan_in fan_out"]
    bias: Float[np.ndarray, " fan_out"] | None


Params = tuple[Layer, ...]


@dataclass(frozen=True)
class Dense:
    """A fully connected layer of `units` outputs."""

    units: int
    activation: Activation = "sigmoid"
    bias: bool = True


@dataclass(frozen=True)
class Network:
    """The layers, from the first hidden one to the output, and the loss on top of them.

    `loss="mse"` is the mean of the squared differences over all elements, samples and outputs alike, without ½.
    """

    input_shape: tuple[int, ...]
    layers: tuple[Dense, ...]
    loss: Loss = "mse"

    @property
    def widths(self) -> tuple[int, ...]:
        """Units of the inputs and of every layer: `(2, 4, 4, 1)` for the homework's network."""
        return (*self.input_shape, *(layer.units for layer in self.layers))


class State(NamedTuple):
    """Where training stands: updates done so far, and the optimizer's arrays by name, each shaped as the params.

    Plain SGD has no arrays.
    """

    updates: int
    arrays: Mapping[str, Params] = {}


class Snapshot(NamedTuple):
    """Params and optimizer state at one update count."""

    params: Params
    state: State


@dataclass(frozen=True, eq=False)
class Schedule:
    """The whole plan of a training run.

    Attributes:
        learning_rate: multiplies the true gradient of the loss.
        epochs: passes over the data.
        batch_size: samples in a batch; the last one of an epoch holds what is left. `None`: the full batch.
        order: which samples each epoch visits in turn, `(epochs, samples)`; `None` for the full batch.
        keep: the update counts at which params and state are kept (0: the initial ones).
        optimizer: `"sgd"`: w ← w - learning_rate · gradient.
    """

    learning_rate: float
    epochs: int
    batch_size: int | None = None
    order: Int[np.ndarray, "epochs samples"] | None = None
    keep: tuple[int, ...] = ()
    optimizer: Optimizer = "sgd"

    @property
    def updates_per_epoch(self) -> int:
        """Batches in an epoch, the ragged last one included."""
        if self.batch_size is None or self.order is None:
            return 1
        return math.ceil(len(self.order[0]) / self.batch_size)

    @property
    def updates(self) -> int:
        """Updates in the whole plan."""
        return self.epochs * self.updates_per_epoch

    def batch(self, update: int) -> slice | Int[np.ndarray, " batch"]:
        """The samples that update number `update` (from 0) is computed on, as an index into the data."""
        if self.batch_size is None or self.order is None:
            return slice(None)
        epoch, position = divmod(update, self.updates_per_epoch)
        return self.order[epoch, position * self.batch_size : (position + 1) * self.batch_size]

    def until(self, *keep: int) -> Schedule:
        """The same plan, keeping just these update counts, and ended with the epoch in which the last is reached."""
        epochs = -(-max(keep) // self.updates_per_epoch)
        order = None if self.order is None else self.order[:epochs]
        return replace(self, epochs=epochs, order=order, keep=keep)


@dataclass(frozen=True, eq=False)
class Trajectory:
    """What a training run leaves behind.

    Attributes:
        losses: `losses[k]` is the batch's loss before the k-th update of this call, `(updates,)`.
        final_loss: the loss on all data after the last update.
        final: params and state at the end.
        kept: params and state at each update count of `schedule.keep` that this call passed.
        compile_seconds: how much of the call's time went into compiling, where the framework does.
    """

    losses: Float64[np.ndarray, " updates"]
    final_loss: float
    final: Snapshot
    kept: Mapping[int, Snapshot] = field(default_factory=dict)
    compile_seconds: float = 0.0


class Trainer(Protocol):
    """What trains."""

    def train(
        self,
        network: Network,
        params: Params,
        inputs: Batch,
        targets: Batch,
        schedule: Schedule,
        state: State | None = None,
    ) -> Trajectory:
        """Carry out `schedule` from update count `state.updates` (0 without a state) to its end."""


class Implementation(Trainer, Protocol):
    """The contract. All arrays of one call share one dtype, float64 or float32, and results have it too."""

    def forward(self, network: Network, params: Params, inputs: Batch) -> Sequence[Batch]:
        """The activations of every layer, first hidden layer first, predictions last."""

    def loss_and_grads(
        self, network: Network, params: Params, inputs: Batch, targets: Batch
    ) -> tuple[float, Params]:
        """The loss on these samples, and its gradient with respect to every parameter."""


def map_params(function: Any, *params: Params) -> Params:
    """Apply `function` to every tensor of `params`, or to corresponding tensors of several."""
    return tuple(
        Layer(
            function(*(layer.weight for layer in layers)),
            None if layers[0].bias is None else function(*(layer.bias for layer in layers)),
        )
        for layers in zip(*params, strict=True)
    )


def tensors(params: Params) -> list[np.ndarray]:
    """All arrays of `params` in order, each layer's weight before its bias."""
    return [tensor for layer in params for tensor in layer if tensor is not None]
