"""What an implementation is: three functions, NumPy arrays at the boundary.

An implementation is a module, or any object, with `forward`, `loss_and_grads` and `train`. Inside, it uses
its framework's own types. It needs to import nothing from here: the arguments are plain named tuples
and dataclasses, and `Layer` results may be any pair `(weight, bias)`.
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
    """What is known of a loss apart from its formula.

    Attributes:
        title: its name in a text.
        link: the function from the network's outputs to its predictions.
    """

    title: str
    link: Literal["identity", "sigmoid", "softmax"] = "identity"

    @property
    def takes_logits(self) -> bool:
        """Whether it applies its link to the outputs itself: the output layer's activation is `identity`."""
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
        """Carry out `schedule` from update count `state.updates` (0 without a state) to its end."""


class Implementation(Trainer, Protocol):
    """The contract. All arrays of one call share one dtype, float64 or float32, and results have it too.

    One more function is optional: `train_ensemble(network, params, inputs, targets, schedule) -> Ensemble`, which
    trains many members of one network at once. `params` have a member axis in front; inputs, targets and the
    learning rate may have one. All members visit the samples in the same order.
    """

    def forward(self, network: Network, params: Params, inputs: Batch) -> Sequence[Batch]:
        """The activations of every layer, first hidden layer first, predictions last."""

    def loss_and_grads(
        self, network: Network, params: Params, inputs: Batch, targets: Batch
    ) -> tuple[float, Params]:
        """The loss on these samples, and its gradient with respect to every parameter."""


Activation = Literal["sigmoid", "identity", "relu", "tanh", "leaky_relu"]
"""`identity` is none; `relu` is max(0, z), `leaky_relu` z or `LEAK` z.

At the kink, z = 0, the derivative is that of the left side: 0, and `LEAK`.
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
        channels: of the output.
        kernel: height and width.
        stride: steps of the kernel, in either direction.
        padding: rows and columns of zeros on each of the four sides.
    """

    channels: int
    kernel: tuple[int, int] = (3, 3)
    stride: int = 1
    padding: int = 0
    activation: Activation = "relu"
    bias: bool = True


Loss = Literal["mse", "binary_cross_entropy", "softmax_cross_entropy"]
"""`mse` is the mean of the squared differences over all elements, samples and outputs alike, without ½.

`binary_cross_entropy`, of σ(outputs), is the mean over all elements; `softmax_cross_entropy`, of softmax(outputs), the
sum over the classes and the mean over the samples. Both take logits: the output layer's activation is `identity`.
"""


@dataclass(frozen=True)
class Network:
    """The shape of one sample, the layers, from the first hidden one to the output, and the loss on top of them."""

    input_shape: tuple[int, ...]
    layers: tuple[Dense | Conv, ...]
    loss: Loss = "mse"

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of one sample, as it goes in and after every layer: `((2,), (4,), (4,), (1,))` for the homework's network."""
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
        """Of every layer's weight: `((2, 4), (4, 4), (4, 1))` for the homework's network."""
        return tuple(
            (*layer.kernel, shape[-1], layer.channels)
            if isinstance(layer, Conv)
            else (math.prod(shape), layer.units)
            for layer, shape in zip(self.layers, self.shapes, strict=False)
        )

    def __str__(self) -> str:
        """Such as "2-4-4-1" or "8×8×1-3×3×8-10"."""
        return "-".join("×".join(map(str, shape)) for shape in self.shapes)


@dataclass(frozen=True)
class SGD:
    """v ← momentum · v + g; w ← w - learning_rate · v, or, with `nesterov`, · (g + momentum · v).

    State: `velocity` v, where there is momentum.
    """

    momentum: float = 0.0
    nesterov: bool = False

    @property
    def arrays(self) -> tuple[str, ...]:
        """The names of its state's arrays."""
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
    """The moments, corrected for their start at zero (Kingma and Ba 2015).

    m ← beta1 · m + (1 - beta1) g; s ← beta2 · s + (1 - beta2) g²; with t the number of this update, from 1:
    w ← w - learning_rate · m / (1 - beta1^t) / (√(s / (1 - beta2^t)) + epsilon).

    State: `first_moment` m, `second_moment` s.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    arrays: ClassVar = ("first_moment", "second_moment")


Optimizer = SGD | Adagrad | RMSProp | Adam
"""Each has `arrays`, the names of its state's arrays, in the order of its formula."""


@dataclass(frozen=True, eq=False)
class Schedule:
    """The whole plan of a training run.

    Attributes:
        learning_rate: multiplies the true gradient of the loss. In an ensemble, one for all or `(members,)`.
        epochs: passes over the data.
        batch_size: samples in a batch; the last one of an epoch holds what is left. `None`: the full batch.
        order: which samples each epoch visits in turn, `(epochs, samples)`; `None` for the full batch.
        keep: the update counts at which params and state are kept (0: the initial ones).
        optimizer: what is made of the gradient g; see its class.
        weight_decay: λ, on weights and biases alike. Coupled: g ← g + λ w, before all else.
        decoupled: instead w ← w - learning_rate · λ · w, beside the optimizer's step (Loshchilov and Hutter 2019).
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

    def next_stop(self, update: int) -> int:
        """The first update count after `update` at which something is kept, or else the end."""
        return min(count for count in (*self.keep, self.updates) if count > update)

    def pieces(self, start: int) -> Iterator[tuple[int, int, Any]]:
        """Cut the plan, from update count `start` on, into whole epochs and single updates.

        Nothing is kept inside a piece. Whole epochs suit a compiled loop, which wants batches of one shape.

        Yields:
            The update count at the start of the piece; its number of epochs, 0 for a single update; and the samples
            that it visits: `(epochs, samples)`, or the one batch, or None where every batch is the full one.
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
        """The same plan, keeping just these update counts, and ended with the epoch in which the last is reached."""
        epochs = -(-max(keep) // self.updates_per_epoch)
        order = None if self.order is None else self.order[:epochs]
        return replace(self, epochs=epochs, order=order, keep=keep)


class State(NamedTuple):
    """Where training stands: updates done so far, and the optimizer's arrays by name, each shaped as the params.

    Plain SGD has no arrays. Arrays that are not given are zero.
    """

    updates: int
    arrays: Mapping[str, Params] = {}


class Snapshot(NamedTuple):
    """Params and optimizer state at one update count."""

    params: Params
    state: State


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


@dataclass(frozen=True, eq=False)
class Ensemble:
    """What the training of many networks at once leaves behind: as `Trajectory`, with a member axis in front.

    Attributes:
        losses: `(members, updates)`.
        final: params and state at the end; every array has a member axis in front.
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
