"""Cross-entropy with a small number inside of the logarithms, and the exact gradient of that."""

import numpy as np


def squash(s):
    return 1 / (1 + np.exp(-s))


TINY = 1e-9


def run(first, second, points):
    middle = squash(points @ first)
    return middle, squash(middle @ second)


def price(first, second, points, labels):
    guess = run(first, second, points)[1]
    hit, miss = np.log(guess + TINY), np.log(1 - guess + TINY)
    return -np.mean(labels * hit + (1 - labels) * miss)


def slopes(first, second, points, labels):
    middle, guess = run(first, second, points)
    by_guess = (1 - labels) / (1 - guess + TINY) - labels / (guess + TINY)
    by_sum = by_guess * guess * (1 - guess) / len(points)
    by_middle = by_sum @ second.T * middle * (1 - middle)
    return points.T @ by_middle, middle.T @ by_sum
