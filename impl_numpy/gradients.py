"""The loss and its gradient: back-propagation by hand, one equation a line."""

from __future__ import annotations

import numpy as np

from gradparity.contract import Batch, Layer, Network, Params

from .model import forward


def mse(predictions: Batch, targets: Batch) -> np.floating:
    """The mean of the squared differences over all elements, samples and outputs alike."""
    return np.mean((predictions - targets) ** 2)


def loss_and_grads(
    network: Network, params: Params, inputs: Batch, targets: Batch
) -> tuple[float, Params]:
    """The loss on these samples, and its gradient with respect to every parameter.

    `inputs` are `(samples, fan_in)`, `targets` `(samples, outputs)`; each gradient has its parameter's shape.
    """
    activations = forward(network, params, inputs)
    predictions = activations[-1]
    loss = mse(predictions, targets)

    # fmt: off
    grads: list[Layer] = []
    d_a = 2.0 * (predictions - targets) / predictions.size      # dL/da of the last layer
    for layer, a_in, a_out in zip(
        reversed(params), reversed([inputs, *activations[:-1]]), reversed(activations), strict=True
    ):
        d_z = d_a * a_out * (1.0 - a_out)                       # dL/dz, as sigma'(z) = a (1 - a)
        weight_grad = a_in.T @ d_z                              # dL/dW
        bias_grad = None if layer.bias is None else d_z.sum(0)  # dL/db
        d_a = d_z @ layer.weight.T                          # dL/da of the layer below
        grads.append(Layer(weight_grad, bias_grad))
    # fmt: on
    return float(loss), tuple(reversed(grads))
