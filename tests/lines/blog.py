"""A network of two hidden layers, every step with a name of its own, as in a tutorial."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def gradients(x, y, w1, w2, w3):
    z1 = x @ w1
    a1 = sigmoid(z1)
    z2 = a1 @ w2
    a2 = sigmoid(z2)
    z3 = a2 @ w3
    a3 = sigmoid(z3)
    loss = np.mean((a3 - y) ** 2)
    delta3 = 2 * (a3 - y) / y.size * a3 * (1 - a3)
    delta2 = delta3 @ w3.T * a2 * (1 - a2)
    delta1 = delta2 @ w2.T * a1 * (1 - a1)
    dw3 = a2.T @ delta3
    dw2 = a1.T @ delta2
    dw1 = x.T @ delta1
    return loss, dw1, dw2, dw3
