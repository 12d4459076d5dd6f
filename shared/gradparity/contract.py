"""The contract of an implementation: three functions, with NumPy arrays as arguments and results.

An implementation is a module, or any object, with `forward`, `loss_and_grads` and `train`. Inside, it uses
its framework's own types. It need not import anything from here: the arguments are plain named tuples
and dataclasses, and a `Layer` in a result may be any pair `(weight, bias)`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
from jaxtyping import Float, Float64, Int

DType = Literal["float64", "float32"]
Batch = Float[np.ndarray, "samples ..."]


@dataclass(frozen=True)
class LossKind:
    """The properties of a loss apart from its formula.

    Attributes:
        title: the loss's name in running text.
        link: the function from the network's outputs to its predictions.
    """

    title: str
    link: Literal["identity", "sigmoid", "softmax"] = "identity"

    @property
    def takes_logits(self) -> bool:
        """True if the loss applies its link itself; the output layer's activation must then be `identity`."""
        return self.link != "identity"


LOSS_KINDS: Mapping[Loss, LossKind] = {
    "mse": LossKind("MSE"),
    "binary_cross_entropy": LossKind("binary cross-entropy", "sigmoid"),
    "softmax_cross_entropy": LossKind("softmax cross-entropy", "softmax"),
}


class Layer(NamedTuple):
    """A layer's parameters: outputs = activation(inputs ∗ weight + bias). Gradients have this type too.

    A dense layer's weight is `(fan_in, fan_out)`, a convolution's `(height, width, channels_in, channels_out)`.
    """

    weight: Float[np.ndarray, "... fan_out"]
    bias: Float[np.ndarray, " fan_out"] | None


Params = tuple[Layer, ...]


class Trainer(Protocol):
    """Anything with the contract's `train`."""

    def train(
        self,
        network: Network,
        params: Params,
        inputs: Batch,
        targets: Batch,
        schedule: Schedule,
        state: State | None = None,
    ) -> Trajectory:
        """Train by `schedule`, from update count `state.updates` (0 without a state) to its end."""


class Implementation(Trainer, Protocol):
    """The contract. All arrays of one call have the same dtype, float64 or float32, and so have the results.

    One more function is optional: `train_ensemble(network, params, inputs, targets, schedule) -> Ensemble`, which
    trains many copies of one network, its members, at once. `params` have a leading member axis; inputs, targets and
    the learning rate may have one. All members visit the samples in the same order.
    """

    def forward(self, network: Network, params: Params, inputs: Batch) -> Sequence[Batch]:
        """Return the activations of every layer, from the first hidden layer to the predictions."""

    def loss_and_grads(
        self, network: Network, params: Params, inputs: Batch, targets: Batch
    ) -> tuple[float, Params]:
        """Return the loss on these samples, and its gradient with respect to every parameter."""


Activation = Literal["sigmoid", "identity", "relu", "tanh", "leaky_relu"]
"""`identity` leaves z unchanged; `relu` is max(0, z); `leaky_relu` is z where z > 0, else `LEAK` · z.

At the kink, z = 0, the derivative is that of the left side: 0 for `relu`, `LEAK` for `leaky_relu`.
"""

LEAK = 0.01
"""Slope of the leaky ReLU where z ≤ 0."""


@dataclass(frozen=True)
class Dense:
    """A fully connected layer of `units` outputs. Images are flattened first, in the order (height, width, channel)."""

    units: int
    activation: Activation = "sigmoid"
    bias: bool = True


@dataclass(frozen=True)
class Conv:
    """A convolution over images `(height, width, channels)`: the kernel is not flipped, as in every framework.

    Attributes:
        channels: the number of output channels.
        kernel: height and width of the kernel.
        stride: step of the kernel in both directions.
        padding: number of rows or columns of zeros on each of the four sides.
    """

    channels: int
    kernel: tuple[int, int] = (3, 3)
    stride: int = 1
    padding: int = 0
    activation: Activation = "relu"
    bias: bool = True


Loss = Literal["mse", "binary_cross_entropy", "softmax_cross_entropy"]
"""`mse` is the mean of the squared differences over all elements (samples and outputs), without a factor ½.

`binary_cross_entropy` of σ(outputs) is the mean over all elements; `softmax_cross_entropy` of softmax(outputs) is the
sum over the classes and the mean over the samples. Both take logits: the output layer's activation is `identity`.
"""


@dataclass(frozen=True)
class Network:
    """The shape of one sample, the layers from the first hidden one to the output layer, and the loss."""

    input_shape: tuple[int, ...]
    layers: tuple[Dense | Conv, ...]
    loss: Loss = "mse"

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of one sample at the input and after every layer: `((2,), (4,), (4,), (1,))` for 2-4-4-1."""
        shapes = [self.input_shape]
        for layer in self.layers:
            if isinstance(layer, Conv):
                height, width = (
                    (size + 2 * layer.padding - kernel) // layer.stride + 1
                    for size, kernel in zip(shapes[-1], layer.kernel, strict=False)
                )
                shapes.append((height, width, layer.channels))
            else:
                shapes.append((layer.units,))
        return tuple(shapes)

    @property
    def weight_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shape of every layer's weight: `((2, 4), (4, 4), (4, 1))` for 2-4-4-1."""
        return tuple(
            (*layer.kernel, shape[-1], layer.channels)
            if isinstance(layer, Conv)
            else (math.prod(shape), layer.units)
            for layer, shape in zip(self.layers, self.shapes, strict=False)
        )

    def __str__(self) -> str:
        """Return the shapes as text, such as "2-4-4-1" or "8×8×1-3×3×8-10"."""
        return "-".join("×".join(map(str, shape)) for shape in self.shapes)


@dataclass(frozen=True)
class SGD:
    """v ← momentum · v + g; w ← w - learning_rate · v; with `nesterov`, w ← w - learning_rate · (g + momentum · v).

    State: `velocity` v if momentum is not 0, else none.
    """

    momentum: float = 0.0
    nesterov: bool = False

    @property
    def arrays(self) -> tuple[str, ...]:
        """The names of the state's arrays."""
        return ("velocity",) if self.momentum else ()


@dataclass(frozen=True)
class Adagrad:
    """s ← s + g²; w ← w - learning_rate · g / (√s + epsilon). State: `square_sum` s (Duchi, Hazan and Singer 2011)."""

    epsilon: float = 1e-10
    arrays: ClassVar = ("square_sum",)


@dataclass(frozen=True)
class RMSProp:
    """s ← decay · s + (1 - decay) g²; w ← w - learning_rate · g / (√s + epsilon).

    State: `square_average` s (Tieleman and Hinton 2012).
    """

    decay: float = 0.99
    epsilon: float = 1e-8
    arrays: ClassVar = ("square_average",)


@dataclass(frozen=True)
class Adam:
    """Adam, with its moments corrected for starting at zero (Kingma and Ba 2015).

    m ← beta1 · m + (1 - beta1) g; s ← beta2 · s + (1 - beta2) g²; with t the number of this update, counted from 1:
    w ← w - learning_rate · m / (1 - beta1^t) / (√(s / (1 - beta2^t)) + epsilon).

    State: `first_moment` m, `second_moment` s.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    arrays: ClassVar = ("first_moment", "second_moment")


Optimizer = SGD | Adagrad | RMSProp | Adam
"""Each optimizer has `arrays`: the names of its state's arrays, in the order of its formula."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """The plan of a training run.

    Attributes:
        learning_rate: multiplies the true gradient of the loss. In an ensemble, a number or `(members,)`.
        epochs: passes over the data.
        batch_size: samples in a batch; the last batch of an epoch has the remaining ones. `None`: the full batch.
        order: the samples that each epoch visits, as indices in turn, `(epochs, samples)`; `None` for the full batch.
        keep: the update counts at which params and state are kept; 0 keeps the initial ones.
        optimizer: computes the update from the gradient g; see its class.
        weight_decay: λ, for weights and biases. Coupled by default: g ← g + λ w, before the optimizer sees g.
        decoupled: instead, w ← w - learning_rate · λ · w, besides the optimizer's step (Loshchilov and Hutter 2019).
    """

    learning_rate: Any
    epochs: int
    batch_size: int | None = None
    order: Int[np.ndarray, "epochs samples"] | None = None
    keep: tuple[int, ...] = ()
    optimizer: Optimizer = SGD()
    weight_decay: float = 0.0
    decoupled: bool = False

    @property
    def updates_per_epoch(self) -> int:
        """The number of batches in an epoch, including a smaller last one."""
        if self.batch_size is None or self.order is None:
            return 1
        return math.ceil(len(self.order[0]) / self.batch_size)

    @property
    def updates(self) -> int:
        """The number of updates in the whole plan."""
        return self.epochs * self.updates_per_epoch

    def batch(self, update: int) -> slice | Int[np.ndarray, " batch"]:
        """Return the samples of update number `update` (counted from 0), as an index into the data."""
        if self.batch_size is None or self.order is None:
            return slice(None)
        epoch, position = divmod(update, self.updates_per_epoch)
        return self.order[epoch, position * self.batch_size : (position + 1) * self.batch_size]

    def next_stop(self, update: int) -> int:
        """Return the first update count after `update` at which something is kept, or the last count of the plan."""
        return min(count for count in (*self.keep, self.updates) if count > update)

    def pieces(self, start: int) -> Iterator[tuple[int, int, Any]]:
        """Cut the plan, starting at update count `start`, into whole epochs and single updates.

        Nothing is kept inside a piece. Whole epochs suit a compiled loop, which needs batches of one shape.

        Yields:
            The update count at the start of the piece; its number of epochs, 0 for a single update; and the samples
            that it visits: `(epochs, samples)`, or one batch, or None if every batch is the full one.
        """
        update, per_epoch = start, self.updates_per_epoch
        while update < self.updates:
            first, behind = divmod(update, per_epoch)
            epochs = 0 if behind else (self.next_stop(update) - update) // per_epoch
            samples: Any = None
            if self.batch_size is not None and self.order is not None:
                samples = self.order[first : first + epochs] if epochs else self.batch(update)
            yield update, epochs, samples
            update += epochs * per_epoch or 1

    def until(self, *keep: int) -> Schedule:
        """Return the same plan with only these update counts kept, ended after the epoch that reaches the last one."""
        epochs = -(-max(keep) // self.updates_per_epoch)
        order = None if self.order is None else self.order[:epochs]
        return replace(self, epochs=epochs, order=order, keep=keep)


class State(NamedTuple):
    """The state of training: the number of updates done, and the optimizer's arrays by name, each shaped as the params.

    Plain SGD has no arrays. Missing arrays are zero.
    """

    updates: int
    arrays: Mapping[str, Params] = {}


class Snapshot(NamedTuple):
    """Params and optimizer state at one update count."""

    params: Params
    state: State


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The result of a training run.

    Attributes:
        losses: `losses[k]` is the loss of the batch before update k of this call (counted from 0), `(updates,)`.
        final_loss: the loss on all data after the last update.
        final: params and state after the last update.
        kept: params and state at each update count of `schedule.keep` that this call reached.
        compile_seconds: the time that the call spent on compilation, if the framework compiles.
    """

    losses: Float64[np.ndarray, " updates"]
    final_loss: float
    final: Snapshot
    kept: Mapping[int, Snapshot] = field(default_factory=dict)
    compile_seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Ensemble:
    """The result of training many networks at once: as `Trajectory`, with a leading member axis.

    Attributes:
        losses: `(members, updates)`.
        final: params and state after the last update; every array has a leading member axis.
        kept: the same at each update count of `schedule.keep`.
    """

    losses: Float64[np.ndarray, "members updates"]
    final: Snapshot
    kept: Mapping[int, Snapshot] = field(default_factory=dict)


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
