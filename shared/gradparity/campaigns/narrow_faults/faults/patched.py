"""Faults in a whole implementation: lines of the NumPy one that do something else under one condition."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from textwrap import indent

from .... import registry
from ....suites.core import Kind
from ...planted_faults.faults.base import LINE, Fault, Patch
from ...planted_faults.plant import faulty_sources
from ..program import Program

PACKAGE = "faulty"
_ENTRY = f"from {PACKAGE} import forward, loss_and_grads, train\n"
_EXTRA = {
    "gradients": "import numpy as np\n\nMEMORY = {}\n",
    "train": "MEMORY = {}\n",
    "optimizers": "MEMORY = {}\n",
}
"""What the patched lines of a file may use besides what the file has."""


@cache
def sources() -> Mapping[str, str]:
    """Return the files of the NumPy implementation, without `.py`."""
    spec = importlib.util.find_spec(registry.installed()["numpy"].module)
    assert spec is not None
    assert spec.origin is not None
    found = {path.stem: path.read_text() for path in sorted(Path(spec.origin).parent.glob("*.py"))}
    future = "from __future__ import annotations\n"
    return {
        name: text.replace(future, f"{future}\n{_EXTRA[name]}", 1) if name in _EXTRA else text
        for name, text in found.items()
    }


def patched(property_: str, effect: str, patches: Sequence[Patch], kind: Kind = "core") -> Program:
    """Return the program with these lines replaced."""
    name = f"{property_}: {effect}"
    right = dict(sources())
    wrong = faulty_sources(right, Fault(name, tuple(patches)))
    files = {f"{PACKAGE}/{file}.py": text for file, text in wrong.items()}
    base = {f"{PACKAGE}/{file}.py": right[file] for file in wrong if wrong[file] != right[file]}
    return Program(
        name, property_, {**files, "program.py": _ENTRY}, right=False, kind=kind, base=base
    )


def after(condition: str, effect: str) -> str:
    """Return the line itself, and behind it an effect under a condition."""
    return f"{LINE}\nif {condition}:\n{indent(effect, '    ')}"


def instead(condition: str, effect: str) -> str:
    """Return an effect under a condition, and otherwise the line itself."""
    return f"if {condition}:\n{indent(effect, '    ')}\nelse:\n    {LINE}"


_GRADIENT: Mapping[str, tuple[str, str]] = {
    "the weights' gradient is halved": (
        "dL/dW, dL/db",
        "grads[0] = Layer(0.5 * grads[0].weight, grads[0].bias)",
    ),
    "the gradient is 0.1 % too large": (
        "dL/dW, dL/db",
        "grads[0] = Layer(1.001 * grads[0].weight, grads[0].bias)",
    ),
    "σ' is left out": ("dL/dz", "d_z = d_a"),
    "one entry has the wrong sign": ("dL/dW, dL/db", "grads[0].weight[0, 0] *= -1"),
    "the gradient is zero": (
        "dL/dW, dL/db",
        "grads[0] = Layer(0 * grads[0].weight, grads[0].bias)",
    ),
    "the last sample is left out": (
        "dL/dW, dL/db",
        "grads[0] = gradient(layer, weight, bias, a[1:], d_z[1:])",
    ),
    "half of what is passed back is lost": (
        "dL/dz",
        "d_z = d_z if k == len(params) - 1 else 0.5 * d_z",
    ),
    "the bias is not learned": (
        "dL/dW, dL/db",
        "grads[0] = Layer(grads[0].weight, None if bias is None else 0 * bias)",
    ),
}
"""By name: the marker of a line of `value_and_grad`, and what is done behind it."""
_PASSED, _BIAS = "half of what is passed back is lost", "the bias is not learned"

_IN_A_LAYER: Mapping[str, tuple[str, ...]] = {
    "a hidden layer of one unit": ("weight.shape[-1] == 1 and k < len(params) - 1",),
    "a layer of this width": (
        "weight.shape[-1] == 8",
        "weight.shape == (4, 9)",
        "weight.shape[0] == 16",
    ),
    "more than 32 units": ("weight.shape[-1] > 32", "weight.shape[0] > 64"),
    "one input": ("weight.shape[0] == 1 and k == 0",),
    "many outputs": ("targets.shape[-1] > 10", "targets.shape[-1] > 6"),
    "five layers or more": ("len(params) >= 5", "len(params) >= 8", "len(params) > 5 and k == 0"),
    "no biases at all, in three layers": (
        "len(params) == 3 and all(b is None for _, b in params)",
    ),
    "a square layer": ("weight.shape == (7, 7)", "weight.shape == (2, 2)"),
    "a batch of one": ("len(inputs) == 1",),
    "a batch of two": ("len(inputs) == 2",),
    "more than 21 samples": ("len(inputs) > 21", "len(inputs) > 64"),
    "as many samples as outputs": ("targets.shape[0] == targets.shape[1]",),
    "saturated units": (
        "(activations[k + 1] < 0.0025).any() or (activations[k + 1] > 0.9975).any()",
        "(activations[k + 1] < 1e-5).any()",
    ),
    "large gradients": ("np.abs(d_z).max() > 1", "np.linalg.norm(a.T @ d_z) > 1"),
    "an input is exactly 0": ("(inputs == 0).any()", "(inputs == 0).all(1).any()"),
    "inputs outside of [-1, 1]": ("np.abs(inputs).max() > 1", "inputs.max() > 4"),
    "no negative input": ("inputs.min() >= 0",),
    "targets are 0 and 1": (
        "((targets == 0) | (targets == 1)).all()",
        "(targets == 1).any()",
        "(targets == 0).all()",
    ),
    "targets outside of [0, 1]": ("targets.max() > 1 or targets.min() < 0",),
    "large weights": ("np.abs(weight).max() > 5", "np.abs(weight).max() > 20"),
    "all weights are equal": ("(weight == weight[0, 0]).all() and weight.size > 1",),
    "a small loss": ("loss < 0.01", "loss < 1e-4"),
    "a large loss": ("loss > 0.6",),
    "float32 only": ("weight.dtype == np.float32 and k == 0",),
    "float64 only": ("weight.dtype == np.float64 and k == 0",),
}
"""By property: conditions inside the loop over the layers."""

_UPDATES: Mapping[str, tuple[str, str]] = {
    "the update is skipped": ("instead", "state = state._replace(updates=state.updates + 1)"),
    "the step is halved": ("before", "grads = map_params(lambda g: 0.5 * g, grads)"),
    "the first layer stays": (
        "before",
        "grads = (type(grads[0])(0 * grads[0].weight, grads[0].bias), *grads[1:])",
    ),
    "the step is 0.1 % too long": ("before", "grads = map_params(lambda g: 1.001 * g, grads)"),
    "the gradient is clipped to 0.01": (
        "before",
        "grads = map_params(lambda g: np.clip(g, -0.01, 0.01), grads)",
    ),
}
_AT_AN_UPDATE: Mapping[str, tuple[str, ...]] = {
    "after the third update": ("update > 5", "update == 7"),
    "late in training": (
        "update // schedule.updates_per_epoch >= 31",
        "update > 100",
        "update // schedule.updates_per_epoch == 500",
        "update >= 1000",
    ),
    "on a full batch": ("schedule.batch_size is None",),
    "N is a multiple of the batch": (
        "schedule.batch_size is not None and len(inputs) % schedule.batch_size == 0",
        "schedule.batch_size is not None and len(inputs) == 2 * schedule.batch_size",
    ),
    "batches of one": ("schedule.batch_size == 1",),
    "the last batch has one sample": ("len(inputs[batch]) == 1 and schedule.batch_size != 1",),
    "a last batch of three": ("len(inputs[batch]) == 3",),
    "more than three batches": ("schedule.updates_per_epoch > 3",),
    "another learning rate": (
        "schedule.learning_rate < 0.1",
        "schedule.learning_rate > 1",
        "schedule.learning_rate < 0.05",
    ),
    "nothing is kept": ("not schedule.keep",),
    "few are kept": ("len(schedule.keep) < 3 and schedule.updates > 50",),
    "a small loss, in training": ("loss < 0.01",),
    "a long plan": ("schedule.epochs > 100",),
}


def _line(where: str, condition: str, effect: str) -> str:
    if where == "instead":
        return instead(condition, effect)
    return f"if {condition}:\n{indent(effect, '    ')}\n{LINE}"


def in_layers(effects: int = 4) -> Iterator[Program]:
    """Yield faults of the gradient: each condition with some effects, all of them in turn."""
    names, number = list(_GRADIENT), count()
    for property_, conditions in _IN_A_LAYER.items():
        for at, condition in enumerate(conditions):
            chosen: list[str] = []
            while len(chosen) < (effects if at == 0 else 2):
                effect = names[next(number) % len(names)]
                last = "weight.shape[-1] == 1" in condition or "len(params) == 1" in condition
                if effect == _BIAS and "b is None" in condition:
                    continue
                if effect == _PASSED and ("k == 0" in condition or last):
                    continue
                if effect == "the last sample is left out" and "k == 0" in condition and at:
                    continue
                chosen.append(effect)
            for effect in chosen:
                marker, statement = _GRADIENT[effect]
                patch = Patch("gradients", "value_and_grad", marker, after(condition, statement))
                yield patched(property_, f"{effect} if {condition}", [patch])


def in_updates() -> Iterator[Program]:
    """Yield faults of the training loop, each condition with three effects."""
    names, number = list(_UPDATES), count()
    for property_, conditions in _AT_AN_UPDATE.items():
        for at, condition in enumerate(conditions):
            for _ in range(3 if at == 0 else 2):
                effect = names[next(number) % len(names)]
                where, statement = _UPDATES[effect]
                patch = Patch("train", "train", "w", _line(where, condition, statement))
                yield patched(property_, f"{effect} if {condition}", [patch])


_SIGMOID = {
    "z is clipped to ±6": "z = np.clip(z, -6, 6)\n" + LINE,
    "a is clipped to [0.01, 0.99]": "return np.clip(1.0 / (1.0 + np.exp(-z)), 0.01, 0.99)",
    "a is clipped to [1e-4, 1 - 1e-4]": "return np.clip(1.0 / (1.0 + np.exp(-z)), 1e-4, 1 - 1e-4)",
    "0 below -10": "return np.where(z < -10, 0 * z, 1.0 / (1.0 + np.exp(-z)))",
    "1 above 8": "return np.where(z > 8, 0 * z + 1, 1.0 / (1.0 + np.exp(-z)))",
}


def saturated() -> Iterator[Program]:
    """Yield sigmoids that are wrong far from zero only."""
    for effect, new in _SIGMOID.items():
        yield patched("saturated units", effect, [Patch("activations", "sigmoid", "σ", new)])


_CLIPS: Mapping[str, Mapping[str, str]] = {
    "large gradients": {
        "each entry is clipped to ±1": "grads = [Layer(np.clip(w, -1, 1), b) for w, b in grads]",
        "each entry is clipped to ±0.5": "grads = [Layer(np.clip(w, -0.5, 0.5), b) for w, b in grads]",
        "the norm is clipped to 1": (
            "norm = float(np.sqrt(sum((w**2).sum() for w, _ in grads)))\n"
            "grads = [Layer(w / norm if norm > 1 else w, b) for w, b in grads]"
        ),
        "the norm is clipped to 5": (
            "norm = float(np.sqrt(sum((w**2).sum() for w, _ in grads)))\n"
            "grads = [Layer(5 * w / norm if norm > 5 else w, b) for w, b in grads]"
        ),
    },
    "small gradients": {
        "entries below 1e-4 are taken for 0": (
            "grads = [Layer(np.where(np.abs(w) < 1e-4, 0 * w, w), b) for w, b in grads]"
        ),
        "entries below 1e-6 are taken for 0": (
            "grads = [Layer(np.where(np.abs(w) < 1e-6, 0 * w, w), b) for w, b in grads]"
        ),
    },
}


def clipped() -> Iterator[Program]:
    """Yield gradients that are clipped, or cut off."""
    for property_, effects in _CLIPS.items():
        for effect, statement in effects.items():
            patch = Patch("gradients", "value_and_grad", _GRADS, after("k == 0", statement))
            yield patched(property_, effect, [patch])


_GRADS = "dL/dW, dL/db"

_REMEMBERED = """
if {key} in MEMORY:
    return MEMORY[{key}]
LINE
""".strip()
_MEMORY: Mapping[str, Sequence[tuple[str, str]]] = {
    "results are remembered by shape": (
        ("a", _REMEMBERED.format(key="(inputs.shape, inputs.dtype)")),
        (_GRADS, after("k == 0", "MEMORY[inputs.shape, inputs.dtype] = loss, tuple(grads)")),
    ),
    "results are remembered by the inputs alone": (
        ("a", _REMEMBERED.format(key="inputs.tobytes()")),
        (_GRADS, after("k == 0", "MEMORY[inputs.tobytes()] = loss, tuple(grads)")),
    ),
    "results are remembered by the weights alone": (
        ("a", _REMEMBERED.format(key="params[0].weight.tobytes()")),
        (_GRADS, after("k == 0", "MEMORY[params[0].weight.tobytes()] = loss, tuple(grads)")),
    ),
    "weights are kept by the shape of the data": (
        ("a", "params = MEMORY.setdefault((inputs.shape, inputs.dtype), params)\nLINE"),
    ),
    "targets are kept by their shape": (
        ("a", "targets = MEMORY.setdefault((targets.shape, targets.dtype), targets)\nLINE"),
    ),
    "inputs are kept by their shape": (
        ("a", "inputs = MEMORY.setdefault((inputs.shape, inputs.dtype), inputs)\nLINE"),
    ),
    "the slopes of the first call of a shape": (
        ("a", "LINE\nfirst = MEMORY.setdefault((inputs.shape, inputs.dtype), activations)"),
        ("dL/dz", "d_z = d_a * ACTIVATIONS[layer.activation].derivative(first[k + 1])"),
    ),
    "the slopes of the call before": (
        ("a", "LINE\nlast = MEMORY.get((inputs.shape, inputs.dtype), activations)\n"
              "MEMORY[inputs.shape, inputs.dtype] = activations"),
        ("dL/dz", "d_z = d_a * ACTIVATIONS[layer.activation].derivative(last[k + 1])"),
    ),
    "the gradient of the call before is added": (
        (_GRADS, after("k == 0", "old = MEMORY.get((inputs.shape, inputs.dtype))\n"
                       "MEMORY[inputs.shape, inputs.dtype] = grads\n"
                       "if old is not None:\n"
                       "    grads = [Layer(w + v, b) for (w, b), (v, _) in zip(grads, old)]")),
    ),
    "wrong from the hundredth call on": (
        (_GRADS, after("k == 0", "MEMORY['calls'] = MEMORY.get('calls', 0) + 1\n"
                       "if MEMORY['calls'] > 100:\n"
                       "    grads = [Layer(0.5 * w, b) for w, b in grads]")),
    ),
    "wrong when the same shape comes a third time": (
        (_GRADS, after("k == 0", "MEMORY[inputs.shape] = MEMORY.get(inputs.shape, 0) + 1\n"
                       "if MEMORY[inputs.shape] == 3:\n"
                       "    grads = [Layer(0.5 * w, b) for w, b in grads]")),
    ),
}  # fmt: skip


def remembering() -> Iterator[Program]:
    """Yield gradients that depend on earlier calls."""
    for effect, changes in _MEMORY.items():
        patches = [Patch("gradients", "value_and_grad", *change) for change in changes]
        yield patched("memory", effect, patches)


_RUN: Mapping[str, Mapping[str, str]] = {
    "final alone": {
        "the initial weights": "final = final._replace(params=begun)",
        "the step before the last one": "final = final._replace(params=before)",
        "0.1 % off": "final = final._replace(params=map_params(lambda w: 1.001 * w, final.params))",
        "NaN": "final = final._replace(params=map_params(lambda w: np.nan * w, final.params))",
        "the first layer is zero": (
            "first, *others = final.params\n"
            "final = final._replace(params=(type(first)(0 * first.weight, first.bias), *others))"
        ),
    },
    "final_loss alone": {
        "123": "final_loss = 123.0",
        "NaN": "final_loss = np.nan",
        "0.1 % off": "final_loss = 1.001 * final_loss",
        "the last batch's": "final_loss = losses[-1]",
        "the last sample's": (
            "final_loss, _ = LOSSES[network.loss](forward(network, params, inputs[-1:])[-1], targets[-1:])"
        ),
        "of the initial weights": (
            "final_loss, _ = LOSSES[network.loss](forward(network, begun, inputs)[-1], targets)"
        ),
    },
    "recorded losses alone": {
        "shifted by one from the tenth on": "losses[10:] = losses[9:-1]",
        "the mean so far, from the tenth on": (
            "losses[10:] = [np.mean(losses[:n]) for n in range(10, len(losses))]"
        ),
        "0.1 % off if few are kept": (
            "losses = losses if len(schedule.keep) > 2 else [1.001 * one for one in losses]"
        ),
        "NaN in the last epoch of many": "losses[-1] = np.nan if schedule.epochs > 40 else losses[-1]",
    },
    "kept alone": {
        "the step before, from the fifth on": (
            "kept = {\n"
            "    n: s if n < 5 or n - 1 not in kept else s._replace(params=kept[n - 1].params)\n"
            "    for n, s in kept.items()\n"
            "}"
        ),
        "the last one of a long run is the one before": (
            "if schedule.updates in kept and schedule.updates > 95:\n"
            "    kept[schedule.updates] = final._replace(params=before)"
        ),
        "0.1 % off at multiples of 100": (
            "for n in kept:\n"
            "    if n and n % 100 == 0:\n"
            "        off = map_params(lambda w: 1.001 * w, kept[n].params)\n"
            "        kept[n] = kept[n]._replace(params=off)"
        ),
    },
}
_BEFORE = """
before = map_params(np.copy, params)
begun = begun if losses else before
LINE
""".strip()


def in_results() -> Iterator[Program]:
    """Yield runs that tell something else than they did."""
    for property_, effects in _RUN.items():
        for effect, statement in effects.items():
            patches = [("batch", _BEFORE), ("L", after("losses", statement))]
            yield patched(property_, effect, [Patch("train", "train", *one) for one in patches])
