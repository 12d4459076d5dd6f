"""An update after every sample, rows one by one, outer products, biases as numbers in a vector."""

import numpy as np


def sig(t):
    return 1 / (1 + np.exp(-t))


def epoch(V, p, W, q, rows, labels, rate):
    for x, y in zip(rows, labels):
        h = sig(x @ V + p)
        o = sig(h @ W + q)
        back_o = (o - y) * o * (1 - o)
        back_h = (W @ back_o) * h * (1 - h)
        W = W - rate * np.outer(h, back_o)
        q = q - rate * back_o
        V = V - rate * np.outer(x, back_h)
        p = p - rate * back_h
    return V, p, W, q
