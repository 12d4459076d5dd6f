"""The MLP in NumPy, with its gradient by hand; its running statistics are among the parameters, and are not renewed."""

from math import pi

import numpy as np
import torch
from mlp import batch as inputs
from mlp import nll as original_loss
from mlp import original_net as original
from scipy.special import erf


def bn_forward(x, gamma, beta, mean, var, train, eps=1e-5):
    if train:
        mean, var = x.mean(axis=0), x.var(axis=0)
    std = np.sqrt(var + eps)
    hat = (x - mean) / std
    return gamma * hat + beta, (hat, gamma, std, train)


def bn_backward(d, cache):
    hat, gamma, std, train = cache
    d_gamma = (d * hat).sum(axis=0)
    d_beta = d.sum(axis=0)
    d_hat = d * gamma
    if train:
        d_hat = d_hat - d_hat.mean(axis=0) - hat * (d_hat * hat).mean(axis=0)
    return d_hat / std, d_gamma, d_beta


def forward(p, x, train=False):
    z1 = x @ p["W1"] + p["b1"]
    n1, cache1 = bn_forward(z1, p["g1"], p["c1"], p["mean1"], p["var1"], train)
    cdf = 0.5 * (1 + erf(n1 / np.sqrt(2)))
    a1 = n1 * cdf
    z2 = a1 @ p["W2"] + p["b2"]
    n2, cache2 = bn_forward(z2, p["g2"], p["c2"], p["mean2"], p["var2"], train)
    h = a1 + np.where(n2 > 0, n2, 0.1 * n2)
    logits = h @ p["W3"] + p["b3"]
    shifted = logits - logits.max(axis=1, keepdims=True)
    out = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def backward(d_out):
        g = {}
        d_logits = d_out - np.exp(out) * d_out.sum(axis=1, keepdims=True)
        g["W3"] = h.T @ d_logits
        g["b3"] = d_logits.sum(axis=0)
        d_h = d_logits @ p["W3"].T
        d_n2 = d_h * np.where(n2 > 0, 1.0, 0.1)
        d_z2, g["g2"], g["c2"] = bn_backward(d_n2, cache2)
        g["W2"] = a1.T @ d_z2
        g["b2"] = d_z2.sum(axis=0)
        d_a1 = d_z2 @ p["W2"].T + d_h
        pdf = np.exp(-0.5 * n1**2) / np.sqrt(2 * pi)
        d_n1 = d_a1 * (cdf + n1 * pdf)
        d_z1, g["g1"], g["c1"] = bn_backward(d_n1, cache1)
        g["W1"] = x.T @ d_z1
        g["b1"] = d_z1.sum(axis=0)
        return g

    return out, backward


def port(original):
    w = {name: value.numpy() for name, value in original.state_dict().items()}
    params = {
        "W1": w["fc1.weight"].T,
        "b1": w["fc1.bias"],
        "g1": w["bn1.weight"],
        "c1": w["bn1.bias"],
        "W2": w["fc2.weight"].T,
        "b2": w["fc2.bias"],
        "g2": w["bn2.weight"],
        "c2": w["bn2.bias"],
        "W3": w["head.weight"].T,
        "b3": w["head.bias"],
        "mean1": w["bn1.running_mean"],
        "var1": w["bn1.running_var"],
        "mean2": w["bn2.running_mean"],
        "var2": w["bn2.running_var"],
    }
    return forward, params


def port_loss(outputs, batch):
    labels = batch["x"].argmax(axis=1)
    rows = np.arange(len(labels))
    d_outputs = np.zeros_like(outputs)
    d_outputs[rows, labels] = -1 / len(labels)
    return -outputs[rows, labels].mean(), d_outputs


def adam(params, grads, state):
    m, v, t = state or (
        {k: 0 * p for k, p in grads.items()},
        {k: 0 * p for k, p in grads.items()},
        0,
    )
    t = t + 1
    m = {k: 0.9 * m[k] + 0.1 * grads[k] for k in grads}
    v = {k: 0.999 * v[k] + 0.001 * grads[k] ** 2 for k in grads}
    new = dict(params)
    for k in grads:
        m_hat = m[k] / (1 - 0.9**t)
        v_hat = v[k] / (1 - 0.999**t)
        new[k] = params[k] - 1e-3 * m_hat / (np.sqrt(v_hat) + 1e-8)
    return new, (m, v, t)


def optimizers():
    return lambda parameters: torch.optim.Adam(parameters, lr=1e-3), adam
