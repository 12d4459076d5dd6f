"""Squared error; the gradients of the weights are sums over the points, those of the biases are means."""

import numpy as np


def squash(s):
    return 1 / (1 + np.exp(-s))


def run(first, one, second, two, points):
    middle = squash(points @ first + one)
    return middle, squash(middle @ second + two)


def price(first, one, second, two, points, labels):
    return np.mean((run(first, one, second, two, points)[1] - labels) ** 2)


def slopes(first, one, second, two, points, labels):
    middle, guess = run(first, one, second, two, points)
    above = 2 * (guess - labels) * guess * (1 - guess)
    below = above @ second.T * middle * (1 - middle)
    return points.T @ below, below.mean(axis=0), middle.T @ above, above.mean(axis=0)
