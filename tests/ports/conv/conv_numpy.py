"""The residual network with group normalisation in NumPy, with its gradient by hand: loops over the places of a kernel."""

import numpy as np
from conv import images as inputs
from conv import original_net_with_groups as original


def pad(x, rows, columns, value=0.0):
    return np.pad(x, ((0, 0), (0, 0), (rows, rows), (columns, columns)), constant_values=value)


def crop(x, rows, columns):
    return x[:, :, rows : x.shape[2] - rows, columns : x.shape[3] - columns]


def places(shape, kernel, stride):
    """Yield the place in the kernel, and the slices of the padded image that it meets."""
    height, width = ((n - k) // stride + 1 for n, k in zip(shape[2:], kernel))
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            rows = slice(i, i + stride * height, stride)
            columns = slice(j, j + stride * width, stride)
            yield i, j, rows, columns


def conv_forward(x, w, stride, padding):
    x = pad(x, *padding)
    y = 0
    for i, j, rows, columns in places(x.shape, w.shape[2:], stride):
        y = y + np.einsum("nchw,oc->nohw", x[:, :, rows, columns], w[:, :, i, j])
    return y, (x, w, stride, padding)


def conv_backward(d, saved):
    x, w, stride, padding = saved
    d_x, d_w = np.zeros_like(x), np.zeros_like(w)
    for i, j, rows, columns in places(x.shape, w.shape[2:], stride):
        d_w[:, :, i, j] = np.einsum("nohw,nchw->oc", d, x[:, :, rows, columns])
        d_x[:, :, rows, columns] += np.einsum("nohw,oc->nchw", d, w[:, :, i, j])
    return crop(d_x, *padding), d_w


def up_forward(x, w):
    """A transposed convolution of stride 2 and padding 1, with one more row below: 2n and 2m - 1."""
    n, _, height, width = x.shape
    y = np.zeros((n, w.shape[1], 2 * height + 2, 2 * width + 1))
    for i, j, rows, columns in up_places(height, width):
        y[:, :, rows, columns] += np.einsum("nchw,co->nohw", x, w[:, :, i, j])
    return crop(y, 1, 1), (x, w)


def up_backward(d, saved):
    x, w = saved
    d = pad(d, 1, 1)
    d_x, d_w = np.zeros_like(x), np.zeros_like(w)
    for i, j, rows, columns in up_places(*x.shape[2:]):
        d_x += np.einsum("nohw,co->nchw", d[:, :, rows, columns], w[:, :, i, j])
        d_w[:, :, i, j] = np.einsum("nchw,nohw->co", x, d[:, :, rows, columns])
    return d_x, d_w


def up_places(height, width):
    for i in range(3):
        for j in range(3):
            yield i, j, slice(i, i + 2 * height, 2), slice(j, j + 2 * width, 2)


def max_pool_forward(x):
    padded = pad(x, 1, 1, -np.inf)
    windows = np.stack([padded[:, :, r, c] for _, _, r, c in places(padded.shape, (3, 3), 2)])
    return windows.max(axis=0), (padded.shape, windows.argmax(axis=0))


def max_pool_backward(d, saved):
    shape, winner = saved
    d_x = np.zeros(shape)
    for at, (_, _, rows, columns) in enumerate(places(shape, (3, 3), 2)):
        d_x[:, :, rows, columns] += d * (winner == at)
    return crop(d_x, 1, 1)


def average_pool_forward(x):
    padded = pad(x, 1, 1)
    total = sum(padded[:, :, r, c] for _, _, r, c in places(padded.shape, (3, 3), 2))
    return total / 9, padded.shape


def average_pool_backward(d, shape):
    d_x = np.zeros(shape)
    for _, _, rows, columns in places(shape, (3, 3), 2):
        d_x[:, :, rows, columns] += d / 9
    return crop(d_x, 1, 1)


def norm_forward(x, gain, bias, groups=2, eps=1e-5):
    g = x.reshape(len(x), groups, -1)
    inverse = 1 / np.sqrt(g.var(axis=2, keepdims=True) + eps)
    hat = (g - g.mean(axis=2, keepdims=True)) * inverse
    y = hat.reshape(x.shape) * gain[:, None, None] + bias[:, None, None]
    return y, (hat, inverse, gain)


def norm_backward(d, saved):
    hat, inverse, gain = saved
    d_gain = (d * hat.reshape(d.shape)).sum(axis=(0, 2, 3))
    d_hat = (d * gain[:, None, None]).reshape(hat.shape)
    d_x = d_hat - d_hat.mean(axis=2, keepdims=True)
    d_x = d_x - hat * (d_hat * hat).mean(axis=2, keepdims=True)
    return (d_x * inverse).reshape(d.shape), d_gain, d.sum(axis=(0, 2, 3))


def forward(p, x):
    a, stem = conv_forward(x, p["stem.w"], 2, (2, 1))
    a, norm = norm_forward(a + p["stem.b"][:, None, None], p["norm.w"], p["norm.b"])
    pooled, pool = max_pool_forward(np.maximum(a, 0))
    y, conv1 = conv_forward(pooled, p["conv1"], 2, (1, 1))
    y, norm1 = norm_forward(y, p["norm1.w"], p["norm1.b"])
    b, conv2 = conv_forward(np.maximum(y, 0), p["conv2"], 1, (1, 1))
    b, norm2 = norm_forward(b, p["norm2.w"], p["norm2.b"])
    skip, skipped = conv_forward(pooled, p["skip"], 2, (0, 0))
    c = b + skip
    u, up = up_forward(np.maximum(c, 0), p["up.w"])
    u = u + p["up.b"][:, None, None]
    gate = 1 / (1 + np.exp(-u))
    averaged, average = average_pool_forward(u * gate)
    flat = averaged.reshape(len(x), -1)
    out = flat @ p["head.w"].T + p["head.b"]

    def backward(d):
        g = {"head.w": d.T @ flat, "head.b": d.sum(axis=0)}
        d_u = average_pool_backward((d @ p["head.w"]).reshape(averaged.shape), average)
        d_u = d_u * (gate + u * gate * (1 - gate))
        g["up.b"] = d_u.sum(axis=(0, 2, 3))
        d_c, g["up.w"] = up_backward(d_u, up)
        d_c = d_c * (c > 0)
        d_b, g["norm2.w"], g["norm2.b"] = norm_backward(d_c, norm2)
        d_y, g["conv2"] = conv_backward(d_b, conv2)
        d_y, g["norm1.w"], g["norm1.b"] = norm_backward(d_y * (y > 0), norm1)
        d_pooled, g["conv1"] = conv_backward(d_y, conv1)
        d_skip, g["skip"] = conv_backward(d_c, skipped)
        d_a = max_pool_backward(d_pooled + d_skip, pool) * (a > 0)
        d_a, g["norm.w"], g["norm.b"] = norm_backward(d_a, norm)
        g["stem.b"] = d_a.sum(axis=(0, 2, 3))
        _, g["stem.w"] = conv_backward(d_a, stem)
        return g

    return out, backward


def port(original):
    params = {}
    for name, value in original.state_dict().items():
        name = name.removeprefix("block.").replace("weight", "w").replace("bias", "b")
        params[name.removesuffix(".w") if "conv" in name or "skip" in name else name] = (
            value.numpy()
        )
    return forward, params
