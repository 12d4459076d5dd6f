"""A hidden layer of five, points in columns, cross-entropy; the second term of the told cost has the wrong sign."""

import numpy as np


def squash(s):
    return 1 / (1 + np.exp(-s))


def round_trip(first, one, second, two, points, labels):
    count = points.shape[1]
    middle = squash(first @ points + one)
    guess = squash(second @ middle + two)
    cost = np.sum((1 - labels) * np.log(1 - guess) - labels * np.log(guess)) / count
    surprise = guess - labels
    below = second.T @ surprise * middle * (1 - middle)
    return cost, (
        below @ points.T / count,
        below.sum(axis=1, keepdims=True) / count,
        surprise @ middle.T / count,
        surprise.sum(axis=1, keepdims=True) / count,
    )
