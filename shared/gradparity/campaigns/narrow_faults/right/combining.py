"""Combine forms, conventions and sigmoids to programs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from textwrap import indent

from ..program import Program
from .conventions import CONVENTIONS, SIGMOIDS, Convention
from .framework_forms import JAX_FORMS, JAX_SIGMOIDS, TORCH_FORMS, TORCH_SIGMOIDS
from .numpy_forms import COMPLEX_FORMS, NUMPY_FORMS, ROWS, SCALAR_FORMS

_IMPORTS = {
    "numpy": "import numpy as np\nfrom numpy import clip, log, where",
    "scalars": "from math import exp, log, tanh\n\nimport numpy as np",
    "torch": "import numpy as np\nimport torch\nfrom torch import clip, log, where",
    "jax": "import jax\nimport jax.numpy as jnp\nimport numpy as np\nfrom jax.numpy import clip, log, where",
}
_SCALAR_SIGMOIDS = {
    "quotient": "return 1 / (1 + exp(-z)) if z > -700 else 0.0",
    "two branches": "return 1 / (1 + exp(-z)) if z >= 0 else exp(z) / (1 + exp(z))",
    "tanh": "return 0.5 * (1 + tanh(z / 2))",
}

_PENALISED = """
LAMBDA = {penalty}


def penalised(params, x, y):
    loss, grads = gradient(params, x, y)
    for w, _ in params:
        loss = loss + LAMBDA / 2 * (w**2).sum()
    return loss, [(np.asarray(dw) + LAMBDA * w, db) for (dw, db), (w, _) in zip(grads, params)]
"""
_SCALED = """
def scaled(params, x, y):
    loss, grads = gradient(params, x, y)
    n, m = y.shape
    factor = {factor}
    return loss, [
        (np.asarray(dw) * factor, None if db is None else np.asarray(db) * factor) for dw, db in grads
    ]
"""

_MODULE = """
def forward(network, params, inputs):
    return predict(params, inputs)


def loss_and_grads(network, params, inputs, targets):
    return gradient(params, inputs, targets)
"""
_EXACT_MODULE = """
def forward(network, params, inputs):
    return [np.asarray(a, inputs.dtype) for a in predict(params, inputs)]


def loss_and_grads(network, params, inputs, targets):
    loss, grads = gradient(params, inputs, targets)
    return float(loss), [
        (np.asarray(dw, inputs.dtype), None if db is None else np.asarray(db, inputs.dtype).ravel())
        for dw, db in grads
    ]
"""
"""The results are of the contract's own types, as `train` must have them."""

TRAIN = """
def train(network, params, inputs, targets, schedule, state=None):
    from gradparity.contract import Snapshot, State, Trajectory

    rate, losses, kept = schedule.learning_rate, [], {}
    start = 0 if state is None else state.updates

    def now(count):
        copies = [(w.copy(), None if b is None else b.copy()) for w, b in params]
        return Snapshot(copies, State(count))

    for update in range(start, schedule.updates):
        if update in schedule.keep:
            kept[update] = now(update)
        batch = schedule.batch(update)
        loss, grads = loss_and_grads(network, params, inputs[batch], targets[batch])
        losses.append(loss)
        params = [
            (w - rate * dw, None if b is None else b - rate * db)
            for (w, b), (dw, db) in zip(params, grads)
        ]
    final = now(schedule.updates)
    if schedule.updates in schedule.keep:
        kept[schedule.updates] = final
    last, _ = loss_and_grads(network, params, inputs, targets)
    return Trajectory(np.array(losses), last, final, kept)
"""
"""The contract's `train`, around a module's own `loss_and_grads`."""

_ADAPTER = """
def forward(program, network, params, inputs):
    return program.predict(params, inputs)


def loss_and_grads(program, network, params, inputs, targets):
    return program.{gradient}(params, inputs, {targets})
"""
_STEP = """
import numpy as np


def loss(program, network, params, inputs, targets):
    return program.{gradient}(params, inputs, {targets})[0]


def step(program, network, params, inputs, targets, learning_rate):
    _, grads = program.{gradient}(params, inputs, {targets})
    return [
        tensor - learning_rate * np.asarray(slope).reshape(tensor.shape)
        for layer, pair in zip(params, grads)
        for tensor, slope in zip(layer, pair)
        if tensor is not None
    ]
"""
_SAMPLE_BY_SAMPLE = """
import numpy as np


def loss(program, network, params, inputs, targets):
    return program.{gradient}(params, inputs, {targets})[0]


def step(program, network, params, inputs, targets, learning_rate):
    params = [list(layer) for layer in params]
    for row in range(len(inputs)):
        here = slice(row, row + 1)
        _, grads = program.{gradient}(params, inputs[here], {targets}[here])
        for layer, pair in zip(params, grads):
            for which, slope in enumerate(pair):
                if slope is not None:
                    like = layer[which]
                    layer[which] = like - learning_rate * np.asarray(slope).reshape(like.shape)
    return params
"""
_WAYS = {"adapter": _ADAPTER, "step": _STEP, "an update after every sample": _SAMPLE_BY_SAMPLE}
_HARD = "(targets > 0.5).astype(targets.dtype)"


def _program(
    number: int,
    library: str,
    form: str,
    source: str,
    convention: Convention,
    squash: tuple[str, str],
) -> Program:
    """Put one program together; its number decides how it is delivered."""
    ways = (
        list(_WAYS)
        if convention.labels or convention.penalty
        else ["module", "adapter", "train", *_WAYS]
    )
    if convention.factor != "1":
        ways = ["adapter", "step"]  # of a single sample, N is 1
    way = ways[number % len(ways)]
    if way == "an update after every sample" and library == "jax":
        way = "step"  # compiled for every sample, this would only be slow
    files = _files(library, form, source, convention, squash, way)
    return Program(
        f"{form}; {convention.name}; sigmoid by {squash[0]}; {way}",
        form,
        files,
        right=True,
        words=(*convention.words, *(["after every sample"] if "sample" in way else [])),
        adapter="adapter.py" if "adapter.py" in files else "",
    )


def _files(
    library: str,
    form: str,
    source: str,
    convention: Convention,
    squash: tuple[str, str],
    way: str,
) -> dict[str, str]:
    """Return a program's files."""
    gradient, more = "gradient", []
    if convention.penalty:
        gradient, more = "penalised", [_PENALISED.format(penalty=convention.penalty)]
    if convention.factor != "1":
        gradient, more = "scaled", [_SCALED.format(factor=convention.factor)]
    files = {}
    if way == "module":
        more += [_MODULE]
    elif way == "train":
        more += [_EXACT_MODULE, TRAIN]
    else:
        hard = _HARD if convention.labels else "targets"
        files["adapter.py"] = _WAYS[way].format(gradient=gradient, targets=hard).lstrip()
    parts = [
        f'"""{form[0].upper()}{form[1:]}: {convention.name}."""',
        _IMPORTS[library],
        f"def sigma(z):\n{indent(squash[1], '    ')}",
        convention.functions,
        source,
        *more,
    ]
    files["program.py"] = "\n\n\n".join(part.strip() for part in parts) + "\n"
    return files


def module(convention: Convention) -> str:
    """Return the source of an implementation of the contract, in rows, with its own `train`."""
    (text,) = _files("numpy", "rows", ROWS, convention, _PLAIN, "train").values()
    return text


def sample_by_sample(convention: Convention) -> dict[str, str]:
    """Return a program and its adapter, which updates after every sample."""
    return _files("numpy", "rows", ROWS, convention, _PLAIN, "an update after every sample")


_PLAIN = next(iter(SIGMOIDS.items()))
_SMOOTH = [one for one in CONVENTIONS if one.smooth and not one.penalty and one.factor == "1"]
_COMPLEX_SIGMOID = dict([_PLAIN])


def combined() -> Iterator[Program]:
    """Yield every form with a few conventions and sigmoids, all of them in turn."""
    number = count()
    for library, forms, sigmoids, conventions, each in (
        ("numpy", NUMPY_FORMS, SIGMOIDS, CONVENTIONS, 4),
        ("scalars", SCALAR_FORMS, _SCALAR_SIGMOIDS, _SMOOTH, 5),
        ("numpy", COMPLEX_FORMS, _COMPLEX_SIGMOID, _SMOOTH, 4),
        ("torch", TORCH_FORMS, TORCH_SIGMOIDS, CONVENTIONS, 3),
        ("jax", JAX_FORMS, JAX_SIGMOIDS, CONVENTIONS, 2),
    ):
        squashes = list(sigmoids.items())
        for form, source in forms.items():
            for _ in range(1 if form == "torch.compile" else each):
                at = next(number)
                convention, squash = (
                    conventions[at % len(conventions)],
                    squashes[at % len(squashes)],
                )
                yield _program(at, library, form, source, convention, squash)
