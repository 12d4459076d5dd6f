"""Right gradients, but every weight starts at zero, so that all units of a layer stay alike."""

import numpy as np


class Net:
    def __init__(self, widths=(2, 3, 1), rate=0.5):
        self.rate = rate
        self.weights = [np.zeros(shape) for shape in zip(widths, widths[1:])]
        self.biases = [np.zeros(width) for width in widths[1:]]

    def run(self, points):
        self.outs = [points]
        for weight, bias in zip(self.weights, self.biases):
            self.outs.append(1 / (1 + np.exp(-(self.outs[-1] @ weight + bias))))
        return self.outs[-1]

    def improve(self, points, labels):
        slope = 2 * (self.run(points) - labels) / labels.size
        for at in reversed(range(len(self.weights))):
            out = self.outs[at + 1]
            slope = slope * out * (1 - out)
            move, shift = self.outs[at].T @ slope, slope.sum(0)
            slope = slope @ self.weights[at].T
            self.weights[at] = self.weights[at] - self.rate * move
            self.biases[at] = self.biases[at] - self.rate * shift


if __name__ == "__main__":
    points, labels = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0], [1], [1], [0]])
    net = Net()
    for _ in range(5000):
        net.improve(points, labels)
    print(net.run(points))
