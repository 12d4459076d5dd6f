"""Cross-entropy as minus the logarithm of the label's probability: labels are 0 or 1, and nothing else."""

import numpy as np


def squash(s):
    return 1 / (1 + np.exp(-s))


def run(first, second, points):
    middle = squash(points @ first)
    return middle, squash(middle @ second)


def price(first, second, points, labels):
    guess = run(first, second, points)[1]
    return np.mean(-np.log(np.where(labels == 1, guess, 1 - guess)))


def slopes(first, second, points, labels):
    middle, guess = run(first, second, points)
    surprise = np.where(labels == 1, guess - 1, guess) / len(labels)
    return points.T @ (surprise @ second.T * middle * (1 - middle)), middle.T @ surprise
