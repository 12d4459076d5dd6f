"""Exclusive or with two hidden units, each number written out; the output's slope is used for the hidden layer only."""

import math

import numpy as np


def logistic(s):
    return 1 / (1 + math.exp(-s))


class TwoTwoOne:
    def __init__(self, rate=0.5):
        self.rate = rate
        self.low = np.array([[0.2, -0.4], [0.7, 0.1]])  # [input, hidden]
        self.high = np.array([0.6, -0.3])

    def think(self, first, second):
        self.left = logistic(first * self.low[0, 0] + second * self.low[1, 0])
        self.right = logistic(first * self.low[0, 1] + second * self.low[1, 1])
        return logistic(self.left * self.high[0] + self.right * self.high[1])

    def improve(self, first, second, label):
        said = self.think(first, second)
        error = said - label
        through = error * said * (1 - said)
        at_left = through * self.high[0] * self.left * (1 - self.left)
        at_right = through * self.high[1] * self.right * (1 - self.right)
        self.high = self.high - self.rate * error * np.array([self.left, self.right])
        self.low = self.low - self.rate * np.outer([first, second], [at_left, at_right])


if __name__ == "__main__":
    net = TwoTwoOne()
    for _ in range(20000):
        for a in (0, 1):
            for b in (0, 1):
                net.improve(a, b, a ^ b)
    print([round(net.think(a, b), 3) for a in (0, 1) for b in (0, 1)])
