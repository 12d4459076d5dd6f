"""The transformer in NumPy, with its gradient by hand."""

import numpy as np
from scipy.special import erf
from transformer import batch as inputs
from transformer import transformer as original

HEADS, LAYERS = 3, 2


def norm_forward(x, gain, bias):
    centred = x - x.mean(axis=-1, keepdims=True)
    inverse = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    hat = centred * inverse
    return hat * gain + bias, (hat, inverse, gain)


def norm_backward(d, saved):
    hat, inverse, gain = saved
    d_hat = d * gain
    d_x = d_hat - d_hat.mean(axis=-1, keepdims=True)
    d_x = (d_x - hat * (d_hat * hat).mean(axis=-1, keepdims=True)) * inverse
    return d_x, (d * hat).sum(axis=(0, 1)), d.sum(axis=(0, 1))


def linear_backward(d, x, w):
    return d @ w, np.einsum("bto,bti->oi", d, x), d.sum(axis=(0, 1))


def rotate_half(x):
    a, b = np.split(x, 2, axis=-1)
    return np.concatenate([-b, a], axis=-1)


def rotary_tables(steps, size):
    angles = np.outer(np.arange(steps), 10000.0 ** (-np.arange(0, size, 2) / size))
    angles = np.concatenate([angles, angles], axis=1)
    return np.cos(angles), np.sin(angles)


def split(x):
    batch, steps, width = x.shape
    return x.reshape(batch, steps, HEADS, width // HEADS).transpose(0, 2, 1, 3)


def merge(x):
    batch, heads, steps, size = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch, steps, heads * size)


def attention_forward(x, p, name):
    qkv = x @ p[name + "qkv.w"].T + p[name + "qkv.b"]
    q, k, v = (split(one) for one in np.split(qkv, 3, axis=-1))
    cos, sin = rotary_tables(q.shape[-2], q.shape[-1])
    q = q * cos + rotate_half(q) * sin
    k = k * cos + rotate_half(k) * sin
    scale = 1 / np.sqrt(q.shape[-1])
    scores = q @ k.swapaxes(-1, -2) * scale
    future = np.triu(np.ones(scores.shape[-2:], bool), 1)
    scores = np.where(future, -np.inf, scores)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = weights / weights.sum(axis=-1, keepdims=True)
    y = merge(weights @ v)
    out = y @ p[name + "out.w"].T + p[name + "out.b"]
    return out, (x, q, k, v, cos, sin, scale, weights, y)


def attention_backward(d, saved, p, g, name):
    x, q, k, v, cos, sin, scale, weights, y = saved
    d_y, g[name + "out.w"], g[name + "out.b"] = linear_backward(d, y, p[name + "out.w"])
    d_y = split(d_y)
    d_v = weights.swapaxes(-1, -2) @ d_y
    d_weights = d_y @ v.swapaxes(-1, -2)
    inner = (d_weights * weights).sum(axis=-1, keepdims=True)
    d_scores = weights * (d_weights - inner) * scale
    d_q = d_scores @ k
    d_k = d_scores.swapaxes(-1, -2) @ q
    d_q = d_q * cos - rotate_half(d_q * sin)
    d_k = d_k * cos - rotate_half(d_k * sin)
    d_qkv = np.concatenate([merge(d_q), merge(d_k), merge(d_v)], axis=-1)
    d_x, g[name + "qkv.w"], g[name + "qkv.b"] = linear_backward(d_qkv, x, p[name + "qkv.w"])
    return d_x


def mlp_forward(x, p, name):
    z = x @ p[name + "up.w"].T + p[name + "up.b"]
    cdf = 0.5 * (1 + erf(z / np.sqrt(2)))
    a = z * cdf
    return a @ p[name + "down.w"].T + p[name + "down.b"], (x, z, cdf, a)


def mlp_backward(d, saved, p, g, name):
    x, z, cdf, a = saved
    d_a, g[name + "down.w"], g[name + "down.b"] = linear_backward(d, a, p[name + "down.w"])
    pdf = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    d_z = d_a * (cdf + z * pdf)
    d_x, g[name + "up.w"], g[name + "up.b"] = linear_backward(d_z, x, p[name + "up.w"])
    return d_x


def forward(p, ids):
    x = p["embed"][ids]
    saved = []
    for layer in range(LAYERS):
        name = f"{layer}."
        n, norm1 = norm_forward(x, p[name + "norm1.w"], p[name + "norm1.b"])
        y, attention = attention_forward(n, p, name)
        x = x + y
        n, norm2 = norm_forward(x, p[name + "norm2.w"], p[name + "norm2.b"])
        y, mlp = mlp_forward(n, p, name)
        x = x + y
        saved.append((norm1, attention, norm2, mlp))
    n, last = norm_forward(x, p["norm.w"], p["norm.b"])
    logits = n @ p["head"].T

    def backward(d_logits):
        g = {"head": np.einsum("btv,bti->vi", d_logits, n)}
        d_x, g["norm.w"], g["norm.b"] = norm_backward(d_logits @ p["head"], last)
        for layer in reversed(range(LAYERS)):
            name = f"{layer}."
            norm1, attention, norm2, mlp = saved[layer]
            d_n = mlp_backward(d_x, mlp, p, g, name)
            d_y, g[name + "norm2.w"], g[name + "norm2.b"] = norm_backward(d_n, norm2)
            d_x = d_x + d_y
            d_n = attention_backward(d_x, attention, p, g, name)
            d_y, g[name + "norm1.w"], g[name + "norm1.b"] = norm_backward(d_n, norm1)
            d_x = d_x + d_y
        g["embed"] = np.zeros_like(p["embed"])
        np.add.at(g["embed"], ids, d_x)
        return g

    return logits, backward


def port(original):
    w = {name: value.numpy() for name, value in original.state_dict().items()}
    params = {"embed": w.pop("embed.weight"), "head": w.pop("head.weight")}
    for name, value in w.items():
        name = name.replace("blocks.", "").replace("attention.", "")
        params[name.replace("weight", "w").replace("bias", "b")] = value
    return forward, params
