"""A homework as a script: globals, XOR's 21 points, training and a plot while it is imported."""

import matplotlib.pyplot as plt
import numpy as np

X = np.array(
    [[i / 10, i / 10] for i in range(11)] + [[i / 10, 1 - i / 10] for i in range(11) if i != 5]
)
Y = np.array([[0.0]] * 11 + [[1.0]] * 10)
W1, W2, W3 = np.random.randn(2, 4), np.random.randn(4, 4), np.random.randn(4, 1)
LR = 0.1


def update():
    global W1, W2, W3
    a1 = 1 / (1 + np.exp(-X @ W1))
    a2 = 1 / (1 + np.exp(-a1 @ W2))
    y = 1 / (1 + np.exp(-a2 @ W3))
    d3 = 2 * (y - Y) / len(Y) * y * (1 - y)
    d2 = d3 @ W3.T * a2 * (1 - a2)
    d1 = d2 @ W2.T * a1 * (1 - a1)
    W1, W2, W3 = W1 - LR * X.T @ d1, W2 - LR * a1.T @ d2, W3 - LR * a2.T @ d3
    return np.mean((y - Y) ** 2)


history = [update() for _ in range(200)]
print("final loss", history[-1])
plt.plot(history)
plt.show()
