"""The loss and its gradient: back-propagation by hand, one equation a line."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from gradparity.contract import LEAK, Batch, Conv, Dense, Layer, Network, Params

from .model import Rows, forward, matrix, sigmoid, unfold

Scalar = np.floating | Float[np.ndarray, " members"]  # in an ensemble, one for each member


def mse(predictions: Batch, targets: Batch) -> Scalar:
    """The mean of the squared differences over all elements, samples and outputs alike."""
    return np.mean((predictions - targets) ** 2, axis=(-2, -1))


def binary_cross_entropy(logits: Batch, targets: Batch) -> Scalar:
    """-(y log σ(z) + (1 - y) log σ(-z)), the mean over all elements."""
    # e^z would overflow: log(1 + e^z) = max(z, 0) + log(1 + e^-|z|).
    softplus = np.maximum(logits, 0.0) + np.log1p(np.exp(-np.abs(logits)))
    return np.mean(softplus - targets * logits, axis=(-2, -1))


def softmax_cross_entropy(logits: Batch, targets: Batch) -> Scalar:
    """-Σ y log softmax(z) over the classes, the mean over the samples."""
    shifted = logits - logits.max(-1, keepdims=True)  # so that e^z cannot overflow
    log_softmax = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return np.mean(-np.sum(targets * log_softmax, axis=-1), axis=-1)


def softmax(z: Batch) -> Batch:
    """e^z / Σ e^z over the classes."""
    exp = np.exp(z - z.max(-1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


LOSSES: dict[str, Callable[[Batch, Batch], Scalar]] = {
    "mse": mse,
    "binary_cross_entropy": binary_cross_entropy,
    "softmax_cross_entropy": softmax_cross_entropy,
}

# dL/da of the last layer.
LOSS_GRADIENTS: dict[str, Callable[[Batch, Batch], Batch]] = {
    "mse": lambda a, y: 2.0 * (a - y) / (a.shape[-2] * a.shape[-1]),
    "binary_cross_entropy": lambda z, y: (sigmoid(z) - y) / (z.shape[-2] * z.shape[-1]),
    "softmax_cross_entropy": lambda z, y: (softmax(z) * y.sum(-1, keepdims=True) - y) / z.shape[-2],
}

# sigma'(z), from a = sigma(z) alone: a > 0 where z > 0, and at the kink the derivative is the left side's.
DERIVATIVES: dict[str, Callable[[Batch], Batch]] = {
    "sigmoid": lambda a: a * (1.0 - a),
    "identity": np.ones_like,
    "relu": lambda a: np.where(a > 0.0, a.dtype.type(1.0), a.dtype.type(0.0)),
    "tanh": lambda a: 1.0 - a**2,
    "leaky_relu": lambda a: np.where(a > 0.0, a.dtype.type(1.0), a.dtype.type(LEAK)),
}


def fold(layer: Dense | Conv, rows: Rows, shape: tuple[int, ...]) -> Batch:
    """The adjoint of `unfold`: each number of a row is added to where it was taken from."""
    if isinstance(layer, Dense):
        return rows.reshape(*rows.shape[:-1], *shape)
    (height, width, channels), p, s = shape, layer.padding, layer.stride
    below, right = height + 2 * p - layer.kernel[0] + 1, width + 2 * p - layer.kernel[1] + 1
    patches = rows.reshape(
        *rows.shape[:-2],
        -1,
        *(len(range(0, n, s)) for n in (below, right)),
        *layer.kernel,
        channels,
    )
    d_a = np.zeros((*patches.shape[:-5], height + 2 * p, width + 2 * p, channels), rows.dtype)
    for i, j in np.ndindex(layer.kernel):
        d_a[..., i : i + below : s, j : j + right : s, :] += patches[..., i, j, :]
    return d_a[..., p : p + height, p : p + width, :]


def value_and_grad(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[Scalar, Params]:
    """Back-propagation. In an ensemble, all arguments and results have a member axis in front."""
    activations = forward(network, params, inputs)
    predictions = activations[-1]
    loss = LOSSES[network.loss](predictions, targets)

    # fmt: off
    grads: list[Layer] = []
    d_a = LOSS_GRADIENTS[network.loss](predictions, targets)                # dL/da of the last layer
    for layer, (weight, bias), shape, a_in, a_out in zip(
        reversed(network.layers), reversed(params), reversed(network.shapes[:-1]),
        reversed([inputs, *activations[:-1]]), reversed(activations), strict=True,
    ):
        rows = unfold(layer, shape, a_in)
        d_z = d_a * DERIVATIVES[layer.activation](a_out)                    # dL/dz
        d_z = d_z.reshape(*rows.shape[:-1], -1)
        weight_grad = (rows.mT @ d_z).reshape(weight.shape)                 # dL/dW
        bias_grad = None if bias is None else d_z.sum(-2)                   # dL/db
        d_a = fold(layer, d_z @ matrix(layer, weight).mT, shape)            # dL/da of the layer below
        grads.append(Layer(weight_grad, bias_grad))
    # fmt: on
    return loss, tuple(reversed(grads))


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """The loss on these samples, and its gradient with respect to every parameter.

    `inputs` are `(samples, fan_in)`, `targets` `(samples, outputs)`; each gradient has its parameter's shape.
    """
    loss, grads = value_and_grad(network, params, inputs, targets)
    return float(loss), grads
