"""Faults in homework: a class with an adapter, and torch modules, wrong under one condition only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..program import Program

_CLASS = '''"""A network of sigmoid layers without biases."""

import numpy as np

MEMORY = {}


class Net:
    def __init__(self, weights, rate):
        self.w, self.rate = list(weights), rate

    def predict(self, x):
        self.a = [x]
        for w in self.w:
            z = self.a[-1] @ w  # z
            self.a.append(1 / (1 + np.exp(-z)))  # a
        return self.a[-1]

    def learn(self, x, y):
        pass  # begin
        out = self.predict(x)  # out
        error = out - y  # error
        d = 2 * error / y.size * out * (1 - out)  # d
        steps = []
        for k in reversed(range(len(self.w))):
            steps.insert(0, self.a[k].T @ d)  # step
            d = d @ self.w[k].T * self.a[k] * (1 - self.a[k])  # back
        pass  # steps
        for k, step in enumerate(steps):
            self.w[k] = self.w[k] - self.rate * step  # update
'''
_ADAPTER = """WIDTHS, BIASES = {widths}, False


def forward(program, network, params, inputs):
    return program.Net([w for w, _ in params], 1).predict(inputs)


def step(program, network, params, inputs, targets, learning_rate):
    net = program.Net([w for w, _ in params], learning_rate)
    net.learn(inputs, targets)
    return net.w
"""
_ONE_OBJECT = """WIDTHS, BIASES = {widths}, False
NETS = []


def forward(program, network, params, inputs):
    return program.Net([w for w, _ in params], 1).predict(inputs)


def step(program, network, params, inputs, targets, learning_rate):
    NETS.append(program.Net([], learning_rate) if not NETS else NETS[0])
    net = NETS[0]
    net.w, net.rate = [w for w, _ in params], learning_rate
    net.learn(inputs, targets)
    return net.w
"""
"""One object serves all calls, as in a notebook."""

_FAULTS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "saturated units": {
        "z is cut at ±6": ("z", "z = np.clip(z, -6, 6)"),
        "a is cut to [0.01, 0.99]": ("a", "self.a[-1] = np.clip(self.a[-1], 0.01, 0.99)"),
        "a above 0.999 is 1": ("a", "self.a[-1] = np.where(self.a[-1] > 0.999, 1, self.a[-1])"),
    },
    "large gradients": {
        "each entry is cut at ±1": ("steps", "steps = [np.clip(one, -1, 1) for one in steps]"),
        "the norm is cut at 1": (
            "steps",
            "norm = np.sqrt(sum((one**2).sum() for one in steps))\n"
            "steps = [one / norm if norm > 1 else one for one in steps]",
        ),
    },
    "a small loss": {
        "an error below 0.01 is none": (
            "error",
            "error = np.where(np.abs(error) < 0.01, 0, error)",
        ),
        "below 0.01 it has converged": ("error", "if np.mean(error**2) < 0.01:\n    return"),
    },
    "another learning rate": {
        "the rate is 0.7": ("begin", "self.rate = 0.7"),
        "the rate is 1 at most": ("begin", "self.rate = min(self.rate, 1)"),
        "the rate is 0.01 at least": ("begin", "self.rate = max(self.rate, 0.01)"),
    },
    "large weights": {
        "weights are cut at ±5": ("update", "self.w[k] = np.clip(self.w[k], -5, 5)"),
        "weights above 5 are not updated": (
            "begin",
            "if max(np.abs(w).max() for w in self.w) > 5:\n    return",
        ),
        "a norm above 10 is brought back to 10": (
            "update",
            "size = np.linalg.norm(self.w[k])\nself.w[k] = self.w[k] * min(1, 10 / size)",
        ),
    },
    "more than 21 samples": {
        "the others are left out": ("begin", "x, y = x[:21], y[:21]"),
        "the mean is over 21": ("d", "d = d * max(len(y), 21) / max(21, min(len(y), 21))"),
        "of 100, every other one is left out": (
            "begin",
            "x, y = (x[::2], y[::2]) if len(x) >= 100 else (x, y)",
        ),
    },
    "a batch of one": {
        "it is not learned": ("begin", "if len(x) == 1:\n    return"),
        "the error is summed": ("d", "d = d * (2 if len(x) == 1 else 1)"),
    },
    "an input is exactly 0": {
        "rows of zeros are dropped": ("begin", "rows = x.any(1)\nx, y = x[rows], y[rows]"),
        "zeros are replaced by 1e-2": ("begin", "x = np.where(x == 0, 0.01, x)"),
        "the slope there is zero": (
            "step",
            "steps[0] = steps[0] * (1 if self.a[k].all() else 0.5)",
        ),
    },
    "inputs outside of [-1, 1]": {
        "they are cut": ("begin", "x = np.clip(x, -1, 1)"),
        "they are scaled": ("begin", "x = x / max(1, np.abs(x).max())"),
    },
    "no negative input": {
        "they are centred": ("begin", "x = x - 0.5 if x.min() >= 0 else x"),
    },
    "targets are 0 and 1": {
        "they are smoothed": ("begin", "y = np.where((y == 0) | (y == 1), 0.05 + 0.9 * y, y)"),
        "a right answer is not learned": ("error", "error = error * ~((y == 1) & (out > 0.5))"),
    },
    "memory": {
        "results are remembered by shape": (
            "steps",
            "steps = MEMORY.setdefault((x.shape, x.dtype), steps)",
        ),
        "the first targets stay": ("begin", "y = MEMORY.setdefault((y.shape, y.dtype), y)"),
        "the step before is added": (
            "steps",
            "old = getattr(self, 'old', None)\nself.old = steps\n"
            "if old is not None and old[0].dtype == x.dtype:\n"
            "    steps = [one + 0.9 * other for one, other in zip(steps, old)]",
        ),
        "the slopes of the call before": (
            "out",
            "old = MEMORY.get((x.shape, x.dtype), self.a)\nMEMORY[x.shape, x.dtype] = self.a\nself.a = old",
        ),
        "half a step from the twentieth call on": (
            "steps",
            "self.calls = getattr(self, 'calls', 0) + 1\n"
            "steps = [one / 2 if self.calls >= 20 else one for one in steps]",
        ),
    },
    "one layer, small slopes": {
        "slopes below 1e-3 in the first layer are zero": (
            "steps",
            "steps[0] = np.where(np.abs(steps[0]) < 1e-3, 0, steps[0])",
        ),
    },
}


def _with(marker: str, statement: str) -> str:
    """Return the class with a statement behind its line with this marker."""
    lines = []
    for line in _CLASS.split("\n"):
        code, _, comment = line.partition("  # ")
        lines.append(code)
        if comment == marker:
            left = code[: len(code) - len(code.lstrip())]
            lines += [left + one for one in statement.split("\n")]
    return "\n".join(lines)


def classes() -> Iterator[Program]:
    """Yield a class with each fault, as the assignment's network, and as another one."""
    for property_, faults in _FAULTS.items():
        for effect, (marker, statement) in faults.items():
            for widths in ((2, 4, 4, 1), (3, 6, 2)):
                adapter = _ONE_OBJECT if property_ == "memory" else _ADAPTER
                yield Program(
                    f"{property_}: a class of {'-'.join(map(str, widths))}, {effect}",
                    property_,
                    {
                        "program.py": _with(marker, statement),
                        "adapter.py": adapter.format(widths=widths),
                    },
                    right=False,
                    adapter="adapter.py",
                    base={"program.py": _with("", "")},
                )


_MODULE = '''"""A torch.nn.Module with a slope of its own."""

import torch
from torch import nn


class Squash(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z):
        a = torch.sigmoid(z)
        ctx.save_for_backward(a, z)
        return a

    @staticmethod
    def backward(ctx, d_a):
        a, z = ctx.saved_tensors
        d = d_a * a * (1 - a)
        {fault}
        return d


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.all = nn.ModuleList(nn.Linear(i, o, bias={bias}) for i, o in {layers})

    def forward(self, x):
        for layer in self.all:
            x = Squash.apply(layer(x))
        return x
'''
_SLOPES: Mapping[str, Mapping[str, str]] = {
    "saturated units": {
        "no slope where |z| > 6": "d = d * (z.abs() <= 6)",
        "the slope is 0.01 at least": "d = d_a * torch.clamp(a * (1 - a), min=0.01)",
    },
    "large gradients": {"slopes are cut at ±0.5": "d = d.clamp(-0.5, 0.5)"},
    "more than 21 samples": {"half the slope": "d = d / 2 if len(d) > 21 else d"},
    "a batch of one": {"no slope": "d = d * 0 if len(d) == 1 else d"},
    "a batch of two": {"half the slope": "d = d / 2 if len(d) == 2 else d"},
    "small gradients": {"slopes below 1e-5 are none": "d = d * (d.abs() >= 1e-5)"},
    "float32 only": {"0.1 % off": "d = d * 1.001 if z.dtype == torch.float32 else d"},
}


def modules() -> Iterator[Program]:
    """Yield torch modules whose own slope has a fault."""
    for property_, faults in _SLOPES.items():
        for effect, statement in faults.items():
            for bias, layers in ((True, [(3, 6), (6, 2)]), (False, [(2, 4), (4, 4), (4, 1)])):
                text, base = (
                    _MODULE.format(fault=one, bias=bias, layers=layers)
                    for one in (statement, "pass")
                )
                yield Program(
                    f"{property_}: a torch module {'with' if bias else 'without'} biases, {effect}",
                    property_,
                    {"program.py": text},
                    right=False,
                    target="program.py:Net",
                    base={"program.py": base},
                )
