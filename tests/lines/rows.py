"""Rows of the data one after the other, until all are done; it ends where shapes do not fit."""

import sys

import numpy as np


def s(z):
    return 1 / (1 + np.exp(-z))


def forward(params, x):
    out = [x]
    for w, b in params:
        out.append(s(out[-1] @ w + b))
    return out


def loss_and_grads(params, x, y):
    loss, n = 0, 0
    grads = [(np.zeros_like(w), np.zeros_like(b)) for w, b in params]
    while n < len(x):
        a = forward(params, x[n : n + 1])
        err = a[-1] - y[n : n + 1]
        loss += np.sum(err**2) / y.size
        d = 2 * err / y.size * a[-1] * (1 - a[-1])
        for k in reversed(range(len(params))):
            w, b = params[k]
            if d.shape[1] != w.shape[1]:
                sys.exit("shapes do not fit")
            grads[k][0][...] += a[k].T @ d
            grads[k][1][...] += d.sum(axis=0)
            if k > 0:
                d = d @ w.T * a[k] * (1 - a[k])
        n += 1
    return loss, grads
