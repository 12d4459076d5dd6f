"""Correct programs of other networks than the assignment's, and models that need no adapter."""

from __future__ import annotations

from collections.abc import Iterator

from ..program import Program

_ROWS = '''"""{title}."""

import numpy as np
from numpy import log


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def hidden(z):
    return {hidden}


def hidden_slope(a):
    return {hidden_slope}


def output(z):
    return {output}


def output_slope(p, d):
    """From the slope by the outputs p to the slope by their z."""
    return {output_slope}


def predict(params, x):
    found = []
    for at, (w, b) in enumerate(params):
        z = x @ w if b is None else x @ w + b
        x = output(z) if at == len(params) - 1 else hidden(z)
        found.append(x)
    return found


def gradient(params, x, y):
    a = [x, *predict(params, x)]
    p, n = a[-1], {count}
    d, grads = output_slope(p, {loss_slope} / n), []
    for (w, b), below in zip(params[::-1], a[-2::-1]):
        grads.insert(0, (below.T @ d, None if b is None else d.sum(0)))
        d = d @ w.T * hidden_slope(below)
    return ({loss}).sum() / n, grads
'''
_AUTOGRAD = '''"""{title}, by autograd."""

import torch
from torch import log


def hidden(z):
    return {hidden}


def output(z):
    return {output}


def up(layers, x):
    found = []
    for at, (w, b) in enumerate(layers):
        z = x @ w if b is None else x @ w + b
        x = output(z) if at == len(layers) - 1 else hidden(z)
        found.append(x)
    return found


def tensors(params):
    return [[None if t is None else torch.tensor(t) for t in layer] for layer in params]


def predict(params, x):
    return up(tensors(params), torch.tensor(x))


def gradient(params, x, y):
    layers, y = tensors(params), torch.tensor(y)
    leaves = [t.requires_grad_() for layer in layers for t in layer if t is not None]
    p, n = up(layers, torch.tensor(x))[-1], {count}
    loss = ({loss}).sum() / n
    loss.backward()
    grads = iter([t.grad for t in leaves])
    return loss.item(), [(next(grads), None if b is None else next(grads)) for _, b in layers]
'''

_HIDDEN = {
    "sigmoid": ("sigmoid(z)", "a * (1 - a)", "torch.sigmoid(z)"),
    "tanh": ("np.tanh(z)", "1 - a**2", "torch.tanh(z)"),
    "ReLU": ("np.maximum(z, 0)", "(a > 0).astype(a.dtype)", "torch.relu(z)"),
    "leaky ReLU": (
        "np.where(z > 0, z, 0.01 * z)",
        "np.where(a > 0, 1, 0.01).astype(a.dtype)",
        "torch.nn.functional.leaky_relu(z, 0.01)",
    ),
}
_OUTPUT = {
    "sigmoid": ("sigmoid(z)", "d * p * (1 - p)", "torch.sigmoid(z)"),
    "tanh": ("np.tanh(z)", "d * (1 - p**2)", "torch.tanh(z)"),
    "identity": ("z", "d", "z"),
    "softmax": (
        "np.exp(z - z.max(1, keepdims=True)) / np.exp(z - z.max(1, keepdims=True)).sum(1, keepdims=True)",
        "p * (d - (d * p).sum(1, keepdims=True))",
        "torch.softmax(z, 1)",
    ),
}
_LOSSES = {
    "MSE": ("(p - y) ** 2", "2 * (p - y)", "len(y) * len(y[0])"),
    "half the squared error of a sample": ("(p - y) ** 2 / 2", "(p - y)", "len(y)"),
    "binary cross-entropy": (
        "-(y * log(p) + (1 - y) * log(1 - p))",
        "((1 - y) / (1 - p) - y / p)",
        "len(y) * len(y[0])",
    ),
    "cross-entropy of classes": ("-y * log(p)", "(-y / p)", "len(y)"),
}
_NETWORKS = (
    ("tanh", "sigmoid", "MSE"),
    ("ReLU", "sigmoid", "MSE"),
    ("leaky ReLU", "sigmoid", "MSE"),
    ("tanh", "tanh", "MSE"),
    ("sigmoid", "identity", "MSE"),
    ("tanh", "identity", "MSE"),
    ("ReLU", "identity", "half the squared error of a sample"),
    ("ReLU", "identity", "MSE"),
    ("sigmoid", "softmax", "MSE"),
    ("sigmoid", "softmax", "cross-entropy of classes"),
    ("tanh", "softmax", "cross-entropy of classes"),
    ("ReLU", "softmax", "cross-entropy of classes"),
    ("tanh", "sigmoid", "binary cross-entropy"),
    ("ReLU", "sigmoid", "binary cross-entropy"),
    ("leaky ReLU", "identity", "half the squared error of a sample"),
    ("tanh", "sigmoid", "half the squared error of a sample"),
)
"""The hidden layers' activation, the output's and the loss."""

_ADAPTER = """
{limits}def forward(program, network, params, inputs):
    return program.predict(params, inputs)


def loss_and_grads(program, network, params, inputs, targets):
    return program.gradient(params, inputs, targets)
"""
_LIMITS = ("", "WIDTHS = (3, 6, 4)\n\n\n", "BIASES = False\n\n\n", "WIDTHS = (4, 5, 5, 3)\n\n\n")


def other_networks() -> Iterator[Program]:
    """Yield networks with other activations and losses, by hand and by autograd."""
    for number, (hidden, output, loss) in enumerate(_NETWORKS):
        term, slope, count = _LOSSES[loss]
        for by, template, at in (("by hand", _ROWS, 0), ("by autograd", _AUTOGRAD, 2)):
            title = f"{hidden} inside, {output} at the output, {loss}"
            text = template.format(
                title=f"{title[0].upper()}{title[1:]}",
                hidden=_HIDDEN[hidden][at],
                hidden_slope=_HIDDEN[hidden][1],
                output=_OUTPUT[output][at],
                output_slope=_OUTPUT[output][1],
                loss=term,
                loss_slope=slope,
                count=count,
            )
            limits = _LIMITS[(number + at) % len(_LIMITS)]
            unusual = {hidden, output, "cross-entropy" if "cross-entropy" in loss else "MSE"}
            yield Program(
                f"{title}, {by}{', ' + limits.strip() if limits else ''}",
                "another network",
                {"program.py": text, "adapter.py": _ADAPTER.format(limits=limits).lstrip()},
                right=True,
                words=tuple(
                    sorted(word.lower() for word in unusual - {"sigmoid", "identity", "MSE"})
                ),
                adapter="adapter.py",
            )


_MODULE = '''"""A torch.nn.Module: {title}."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        {parts}

    def forward(self, x):
        {body}
'''
_MODULES = {
    "nn.Sequential": (
        "self.all = nn.Sequential(nn.Linear(3, 6), nn.Sigmoid(), nn.Linear(6, 2), nn.Sigmoid())",
        "return self.all(x)",
    ),
    "nn.ModuleList": (
        "self.all = nn.ModuleList(nn.Linear(i, o) for i, o in [(4, 5), (5, 3), (3, 2)])",
        "for layer in self.all:\n            x = torch.sigmoid(layer(x))\n        return x",
    ),
    "no biases": (
        "self.up = nn.Linear(2, 4, bias=False)\n        self.out = nn.Linear(4, 1, bias=False)",
        "return torch.sigmoid(self.out(torch.sigmoid(self.up(x))))",
    ),
    "sigmoid by tanh": (
        "self.up = nn.Linear(3, 5)\n        self.out = nn.Linear(5, 2)",
        "return (1 + torch.tanh(self.out((1 + torch.tanh(self.up(x) / 2)) / 2) / 2)) / 2",
    ),
    "sigmoid as a quotient": (
        "self.up = nn.Linear(3, 5)\n        self.out = nn.Linear(5, 2)",
        "return 1 / (1 + torch.exp(-self.out(1 / (1 + torch.exp(-self.up(x))))))",
    ),
    "einsum": (
        "self.up = nn.Linear(3, 5)\n        self.out = nn.Linear(5, 2, bias=False)",
        'a = torch.sigmoid(torch.einsum("ni,oi->no", x, self.up.weight) + self.up.bias)\n'
        '        return torch.sigmoid(torch.einsum("ni,oi->no", a, self.out.weight))',
    ),
    "tanh inside": (
        "self.up = nn.Linear(3, 5)\n        self.out = nn.Linear(5, 2)",
        "return torch.sigmoid(self.out(torch.tanh(self.up(x))))",
    ),
    "ReLU inside, no activation at the output": (
        "self.up = nn.Linear(4, 7)\n        self.out = nn.Linear(7, 2)",
        "return self.out(torch.relu(self.up(x)))",
    ),
    "leaky ReLU inside": (
        "self.up = nn.Linear(4, 7)\n        self.out = nn.Linear(7, 2)",
        "return torch.sigmoid(self.out(nn.functional.leaky_relu(self.up(x))))",
    ),
    "no activation at the output": (
        "self.up = nn.Linear(2, 6)\n        self.out = nn.Linear(6, 1)",
        "return self.out(torch.sigmoid(self.up(x)))",
    ),
}
_LOSS = '''"""A JAX loss function: {title}."""

import jax
import jax.numpy as jnp


{decorator}def loss(params, inputs, targets):
    a = inputs
    for weight, bias in params:
        z = a @ weight if bias is None else a @ weight + bias
        a = {sigmoid}
    return {loss}
'''
_LOSS_FUNCTIONS = {
    "MSE": ("", "jax.nn.sigmoid(z)", "jnp.mean((a - targets) ** 2)", ""),
    "MSE, compiled": ("@jax.jit\n", "1 / (1 + jnp.exp(-z))", "jnp.mean((a - targets) ** 2)", ""),
    "half the MSE": ("@jax.jit\n", "jax.nn.sigmoid(z)", "0.5 * jnp.mean((a - targets) ** 2)", "½"),
    "sum of squares": ("@jax.jit\n", "jax.nn.sigmoid(z)", "jnp.sum((a - targets) ** 2)", "times the"),
    "cross-entropy": (
        "@jax.jit\n",
        "jax.nn.sigmoid(z)",
        "-jnp.mean(targets * jnp.log(a) + (1 - targets) * jnp.log(1 - a))",
        "binary cross-entropy",
    ),
    "cross-entropy of logits": (
        "@jax.jit\n",
        "jax.nn.sigmoid(z)",
        "jnp.mean(jnp.logaddexp(0, z) - targets * z)",
        "binary cross-entropy",
    ),
    "guarded cross-entropy": (
        "@jax.jit\n",
        "jax.nn.sigmoid(z)",
        "-jnp.mean(targets * jnp.log(a + 1e-8) + (1 - targets) * jnp.log(1 - a + 1e-8))",
        "binary cross-entropy",
    ),
    "sigmoid by tanh": ("@jax.jit\n", "(1 + jnp.tanh(z / 2)) / 2", "jnp.mean((a - targets) ** 2)", ""),
}  # fmt: skip


def models() -> Iterator[Program]:
    """Yield torch modules and JAX loss functions."""
    for title, (parts, body) in _MODULES.items():
        text = _MODULE.format(title=title, parts=parts, body=body)
        yield Program(
            f"torch module, {title}",
            "torch module",
            {"program.py": text},
            right=True,
            target="program.py:Net",
        )
    for title, (decorator, sigmoid, loss, word) in _LOSS_FUNCTIONS.items():
        text = _LOSS.format(title=title, decorator=decorator, sigmoid=sigmoid, loss=loss)
        yield Program(
            f"JAX loss function, {title}",
            "JAX loss function",
            {"program.py": text},
            right=True,
            words=(word,) if word else (),
            target="program.py:loss",
        )
