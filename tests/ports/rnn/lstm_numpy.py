"""The forecaster in NumPy, with its gradient by hand."""

import numpy as np
from rnn import forecaster as original
from rnn import series as inputs


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_forward(x, w_ih, w_hh, b):
    batch, steps, _ = x.shape
    h = c = np.zeros((batch, w_hh.shape[1]))
    states, cache = [], []
    for t in range(steps):
        gates = x[:, t] @ w_ih.T + h @ w_hh.T + b
        i, f, g, o = np.split(gates, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c_next = f * c + i * g
        tanh_c = np.tanh(c_next)
        cache.append((h, c, i, f, g, o, tanh_c))
        h, c = o * tanh_c, c_next
        states.append(h)
    return np.stack(states, axis=1), (x, w_ih, w_hh, cache)


def lstm_backward(d_states, saved):
    x, w_ih, w_hh, cache = saved
    d_x = np.zeros_like(x)
    d_w_ih, d_w_hh = np.zeros_like(w_ih), np.zeros_like(w_hh)
    d_b = np.zeros(len(w_ih))
    d_h = np.zeros_like(cache[0][0])
    d_c = np.zeros_like(d_h)
    for t in reversed(range(len(cache))):
        h, c, i, f, g, o, tanh_c = cache[t]
        d_h = d_h + d_states[:, t]
        d_c = d_c + d_h * o * (1 - tanh_c**2)
        d_o = d_h * tanh_c * o * (1 - o)
        d_i = d_c * g * i * (1 - i)
        d_f = d_c * c * f * (1 - f)
        d_g = d_c * i * (1 - g**2)
        d_gates = np.concatenate([d_i, d_f, d_g, d_o], axis=1)
        d_w_ih += d_gates.T @ x[:, t]
        d_w_hh += d_gates.T @ h
        d_b += d_gates.sum(axis=0)
        d_x[:, t] = d_gates @ w_ih
        d_h = d_gates @ w_hh
        d_c = d_c * f
    return d_x, d_w_ih, d_w_hh, d_b


def norm_forward(x, gain, bias, eps=1e-5):
    mean = x.mean(axis=1, keepdims=True)
    inverse = 1 / np.sqrt(((x - mean) ** 2).mean(axis=1, keepdims=True) + eps)
    hat = (x - mean) * inverse
    return gain * hat + bias, (hat, gain, inverse)


def norm_backward(d, saved):
    hat, gain, inverse = saved
    d_hat = d * gain
    d_x = d_hat - d_hat.mean(axis=1, keepdims=True)
    d_x = d_x - hat * (d_hat * hat).mean(axis=1, keepdims=True)
    return d_x * inverse, (d * hat).sum(axis=0), d.sum(axis=0)


def forward(p, x):
    h1, saved1 = lstm_forward(x, p["w_ih0"], p["w_hh0"], p["b0"])
    h2, saved2 = lstm_forward(h1, p["w_ih1"], p["w_hh1"], p["b1"])
    n, saved_norm = norm_forward(h2[:, -1], p["gain"], p["bias"])
    out = x[:, -1] + n @ p["w_out"].T + p["b_out"]

    def backward(d):
        g = {"w_out": d.T @ n, "b_out": d.sum(axis=0)}
        d_last, g["gain"], g["bias"] = norm_backward(d @ p["w_out"], saved_norm)
        d_h2 = np.zeros_like(h2)
        d_h2[:, -1] = d_last
        d_h1, g["w_ih1"], g["w_hh1"], g["b1"] = lstm_backward(d_h2, saved2)
        _, g["w_ih0"], g["w_hh0"], g["b0"] = lstm_backward(d_h1, saved1)
        return g

    return out, backward


def port(original):
    w = {name: value.numpy() for name, value in original.state_dict().items()}
    params = {
        "gain": w["norm.weight"],
        "bias": w["norm.bias"],
        "w_out": w["head.weight"],
        "b_out": w["head.bias"],
    }
    for layer in "01":
        params["w_ih" + layer] = w["lstm.weight_ih_l" + layer]
        params["w_hh" + layer] = w["lstm.weight_hh_l" + layer]
        params["b" + layer] = w["lstm.bias_ih_l" + layer] + w["lstm.bias_hh_l" + layer]
    return forward, params
