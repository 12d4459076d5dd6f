"""Cross-entropy in one function, its gradient in another."""

import numpy as np


def squash(s):
    return 1 / (1 + np.exp(-s))


def price(first, second, points, labels):
    guess = squash(squash(points @ first) @ second)
    return -(labels * np.log(guess) + (1 - labels) * np.log(1 - guess)).mean()


def slopes(first, second, points, labels):
    middle = squash(points @ first)
    surprise = (squash(middle @ second) - labels) / len(labels)
    return points.T @ (surprise @ second.T * middle * (1 - middle)), middle.T @ surprise
