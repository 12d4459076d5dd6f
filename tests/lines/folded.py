"""Biases are the first row of every weight matrix: each layer's inputs get a column of ones."""

import numpy as np


def logistic(v):
    return 1.0 / (1.0 + np.exp(-v))


def with_ones(a):
    return np.hstack([np.ones((a.shape[0], 1)), a])


def cost_and_gradient(theta1, theta2, X, y):
    m = X.shape[0]
    a1 = with_ones(X)
    z2 = a1.dot(theta1)
    a2 = with_ones(logistic(z2))
    z3 = a2.dot(theta2)
    h = logistic(z3)
    J = np.sum((h - y) ** 2) / (2 * m)
    d3 = (h - y) * h * (1 - h)
    d2 = d3.dot(theta2[1:, :].T) * logistic(z2) * (1 - logistic(z2))
    grad1 = a1.T.dot(d2) / m
    grad2 = a2.T.dot(d3) / m
    return J, grad1, grad2
