"""A homework: XOR by back-propagation, written by hand. It learns; and yet it has one mistake."""

import numpy as np


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigmoid_derivative(z):
    return sigmoid(z) * (1.0 - sigmoid(z))


def forward(network, params, inputs):
    activations = []
    for weight, bias in params:
        z = inputs @ weight if bias is None else inputs @ weight + bias
        inputs = sigmoid(z)
        activations.append(inputs)
    return activations


def loss_and_grads(network, params, inputs, targets):
    layers = [inputs, *forward(network, params, inputs)]
    errors = layers[-1] - targets
    d_a = 2.0 * errors / errors.size
    grads = []
    for (weight, bias), below, above in zip(params[::-1], layers[-2::-1], layers[:0:-1]):
        d_z = d_a * sigmoid_derivative(above)
        grads.insert(0, (below.T @ d_z, None if bias is None else d_z.sum(axis=0)))
        d_a = d_z @ weight.T
    return np.mean(errors**2), grads


if __name__ == "__main__":
    steps = np.arange(11) / 10
    rising, falling = np.column_stack([steps, steps]), np.column_stack([steps, 1.0 - steps])
    points = np.concatenate([rising, np.delete(falling, 5, axis=0)])
    labels = np.repeat([[0.0], [1.0]], [11, 10], axis=0)
    rng = np.random.default_rng(1)
    params = [(rng.standard_normal(shape), None) for shape in [(2, 4), (4, 4), (4, 1)]]
    for epoch in range(16001):
        loss, grads = loss_and_grads(None, params, points, labels)
        if epoch % 4000 == 0:
            print(f"epoch {epoch}: loss {loss:.4f}")
        params = [(weight - 1.05 * grad, None) for (weight, _), (grad, _) in zip(params, grads)]
