"""Three hidden layers, or any other number, in lists and loops; an update in place."""

import numpy as np


class MLP:
    def __init__(self, sizes, eta=0.5):
        self.eta = eta
        self.W = [np.random.randn(n, m) for n, m in zip(sizes[:-1], sizes[1:])]
        self.B = [np.zeros(m) for m in sizes[1:]]

    def act(self, z):
        return 1 / (1 + np.exp(-z))

    def slope(self, a):
        return a * (1 - a)

    def run(self, x):
        self.A = [x]
        for W, B in zip(self.W, self.B):
            self.A.append(self.act(self.A[-1] @ W + B))
        return self.A[-1]

    def learn(self, x, t):
        n = len(x)
        L = len(self.W)
        y = self.run(x)
        delta = (y - t) * self.slope(y)
        dW, dB = [None] * L, [None] * L
        for k in range(L - 1, -1, -1):
            dW[k] = self.A[k].T @ delta / n
            dB[k] = delta.sum(0) / n
            if k > 0:
                delta = (delta @ self.W[k].T) * self.slope(self.A[k])
        for k in range(L):
            self.W[k] -= self.eta * dW[k]
            self.B[k] -= self.eta * dB[k]
