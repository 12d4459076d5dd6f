"""Cross-entropy as it stands in the book; the weights move after every point."""

import numpy as np


def squash(s):
    return 1 / (1 + np.exp(-s))


def price(first, second, points, labels):
    guess = squash(squash(points @ first) @ second)
    return np.mean(-labels * np.log(guess) - (1 - labels) * np.log(1 - guess))


def pass_over(first, second, points, labels, rate):
    for at in range(len(points)):
        point, label = points[at : at + 1], labels[at : at + 1]
        middle = squash(point @ first)
        surprise = squash(middle @ second) - label
        below = surprise @ second.T * middle * (1 - middle)
        first, second = first - rate * point.T @ below, second - rate * middle.T @ surprise
    return first, second
