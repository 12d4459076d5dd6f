"""A script: everything is global, it trains at once, momentum nowhere."""

import numpy as np

np.random.seed(1)
data = np.random.rand(21, 2)
labels = (data[:, :1] > data[:, 1:]) * 1.0
W_in, W_mid, W_out = np.random.randn(2, 5), np.random.randn(5, 4), np.random.randn(4, 1)
rate = 0.3


def f(s):
    return 1 / (1 + np.exp(-s))


def one_epoch():
    global W_in, W_mid, W_out
    first = f(np.dot(data, W_in))
    second = f(np.dot(first, W_mid))
    guess = f(np.dot(second, W_out))
    error = guess - labels
    e_out = error * guess * (1 - guess)
    e_second = np.dot(e_out, W_out.T) * second * (1 - second)
    e_first = np.dot(e_second, W_mid.T) * first * (1 - first)
    W_out = W_out - rate * np.dot(second.T, e_out)
    W_mid = W_mid - rate * np.dot(first.T, e_second)
    W_in = W_in - rate * np.dot(data.T, e_first)
    return float((error**2).mean())


for epoch in range(50):
    loss = one_epoch()
print(loss)
