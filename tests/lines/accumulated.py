"""The gradient of a batch, summed sample by sample."""

import numpy as np


def f(x):
    return 1 / (1 + np.exp(-x))


def train(X, Y, w1, w2, eta):

    g1 = np.zeros_like(w1)
    g2 = np.zeros_like(w2)
    total = 0
    for n in range(X.shape[0]):
        x = X[n]
        t = Y[n]
        h = f(np.dot(x, w1))
        o = f(np.dot(h, w2))
        e = o - t
        total += np.sum(e**2)
        delta_o = e * o * (1 - o)
        delta_h = np.dot(w2, delta_o) * h * (1 - h)
        g2 += np.outer(h, delta_o)
        g1 += np.outer(x, delta_h)
    w1 -= eta * g1 / X.shape[0]
    w2 -= eta * g2 / X.shape[0]
    return total / X.shape[0]
