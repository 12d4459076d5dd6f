"""The tagger in NumPy, with backpropagation through time by hand."""

import numpy as np
from rnn import tagger as original
from rnn import tokens as inputs


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def forward(params, ids):
    embed, w_ih, w_hh = params["embed"], params["w_ih"], params["w_hh"]
    b_ih, b_hh, w_out, b_out = params["b_ih"], params["b_hh"], params["w_out"], params["b_out"]
    x = embed[ids]
    steps = x.shape[1]
    h = np.zeros((x.shape[0], w_hh.shape[1]))
    cache, states = [], []
    for t in range(steps):
        x_r, x_z, x_n = np.split(x[:, t] @ w_ih.T + b_ih, 3, axis=1)
        h_r, h_z, h_n = np.split(h @ w_hh.T + b_hh, 3, axis=1)
        r = sigmoid(x_r + h_r)
        z = sigmoid(x_z + h_z)
        n = np.tanh(x_n + r * h_n)
        cache.append((h, r, z, n, h_n))
        h = (1 - z) * n + z * h
        states.append(h)
    states = np.stack(states, axis=1)
    logits = states @ w_out.T + b_out
    peak = logits.max(axis=-1, keepdims=True)
    log_z = peak + np.log(np.exp(logits - peak).sum(axis=-1, keepdims=True))
    out = logits - log_z

    def backward(d_out):
        d_logits = d_out - np.exp(out) * d_out.sum(axis=-1, keepdims=True)
        grads = {name: np.zeros_like(value) for name, value in params.items()}
        grads["w_out"] = np.einsum("btk,bth->kh", d_logits, states)
        grads["b_out"] = d_logits.sum(axis=(0, 1))
        d_states = d_logits @ w_out
        d_h = np.zeros_like(h)
        for t in reversed(range(steps)):
            before, r, z, n, h_n = cache[t]
            d_h = d_h + d_states[:, t]
            d_n = d_h * (1 - z) * (1 - n**2)
            d_z = d_h * (before - n) * z * (1 - z)
            d_r = d_n * h_n * r * (1 - r)
            d_ih = np.concatenate([d_r, d_z, d_n], axis=1)
            d_hh = np.concatenate([d_r, d_z, d_n * r], axis=1)
            grads["w_ih"] += d_ih.T @ x[:, t]
            grads["b_ih"] += d_ih.sum(axis=0)
            grads["w_hh"] += d_hh.T @ before
            grads["b_hh"] += d_hh.sum(axis=0)
            np.add.at(grads["embed"], ids[:, t], d_ih @ w_ih)
            d_h = d_h * z + d_hh @ w_hh
        return grads

    return out, backward


def port(original):
    w = {name: value.numpy() for name, value in original.state_dict().items()}
    return forward, {
        "embed": w["embed.weight"],
        "w_ih": w["gru.weight_ih_l0"],
        "w_hh": w["gru.weight_hh_l0"],
        "b_ih": w["gru.bias_ih_l0"],
        "b_hh": w["gru.bias_hh_l0"],
        "w_out": w["head.weight"],
        "b_out": w["head.bias"],
    }
