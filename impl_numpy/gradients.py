"""The forward pass, and the gradient of the loss: back-propagation by hand, one equation per line."""

from __future__ import annotations

from gradparity.contract import Batch, Layer, Network, Params

from .activations import ACTIVATIONS
from .layers import LAYERS
from .losses import LOSSES, Scalar


def forward(network: Network, params: Params, inputs: Batch) -> list[Batch]:
    """Compute the activations of every layer, first hidden layer first, outputs last: `(samples, units)` each.

    Those of a convolution are `(samples, height, width, channels)`.
    """
    activations, a = [], inputs
    for layer, (weight, bias) in zip(network.layers, params, strict=True):
        z = LAYERS[type(layer)].forward(layer, weight, bias, a)  # z
        a = ACTIVATIONS[layer.activation].function(z)  # a
        activations.append(a)
    return activations


def value_and_grad(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[Scalar, Params]:
    """Compute the loss and its gradient by the chain rule, from the last layer down to the first.

    In an ensemble every array has a member axis in front, as in `layers`, and there is a loss for each member.
    """
    activations = [inputs, *forward(network, params, inputs)]  # a
    loss, d_a = LOSSES[network.loss](activations[-1], targets)  # L, dL/da of the last layer

    grads: list[Layer] = []
    for k in reversed(range(len(network.layers))):
        layer, (weight, bias), a = network.layers[k], params[k], activations[k]
        _, gradient, backward = LAYERS[type(layer)]
        d_z = d_a * ACTIVATIONS[layer.activation].derivative(activations[k + 1])  # dL/dz
        grads.insert(0, gradient(layer, weight, bias, a, d_z))  # dL/dW, dL/db
        if k > 0:
            d_a = backward(layer, weight, a, d_z)  # dL/da
    return loss, tuple(grads)


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """Compute the loss on these samples, and its gradient with respect to every parameter.

    `inputs` are `(samples, fan_in)`, `targets` `(samples, outputs)`; each gradient has its parameter's shape.
    """
    loss, grads = value_and_grad(network, params, inputs, targets)
    return float(loss), grads
