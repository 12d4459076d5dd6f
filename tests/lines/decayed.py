"""Weight decay under squared error; gradients come back in a dictionary named after the weights."""

import numpy as np

LAM = 0.05


def sigma(u):
    return 1 / (1 + np.exp(-u))


def backprop(net, X, T):
    H = sigma(X @ net["W1"] + net["c1"])
    Y = sigma(H @ net["W2"] + net["c2"])
    E = Y - T
    loss = (E**2).mean() + LAM / 2 * ((net["W1"] ** 2).sum() + (net["W2"] ** 2).sum())
    D2 = 2 * E / E.size * Y * (1 - Y)
    D1 = (D2 @ net["W2"].T) * H * (1 - H)
    grad = {
        "W1": X.T @ D1 + LAM * net["W1"],
        "c1": D1.sum(axis=0),
        "W2": H.T @ D2 + LAM * net["W2"],
        "c2": D2.sum(axis=0),
    }
    return loss, grad
