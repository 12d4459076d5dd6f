"""Mistakes beside an accepted convention: the loss and its gradient are right, something else is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..program import Program
from ..right.combining import module, sample_by_sample
from ..right.conventions import CONVENTIONS

PROPERTY = "a convention, and a mistake beside it"
_CHOSEN = (
    "half the MSE",
    "cross-entropy",
    "sum of squares",
    "half the sum of squares",
    "mean over the samples only",
)

_STEP = "            (w - rate * dw, None if b is None else b - rate * db)\n"
_FINAL = "    final = now(schedule.updates)\n"
_LOSSES = "        losses.append(loss)\n"
_LAST = "    last, _ = loss_and_grads(network, params, inputs, targets)\n"
_MISTAKES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "train sets every weight to 42": (
        (_STEP, "            (0 * w + 42, None if b is None else b - rate * db)\n"),
    ),
    "the weights move the wrong way": (
        (_STEP, "            (w + rate * dw, None if b is None else b + rate * db)\n"),
    ),
    "the biases are not updated": ((_STEP, "            (w - rate * dw, b)\n"),),
    "the biases move half as far": (
        (_STEP, "            (w - rate * dw, None if b is None else b - rate / 2 * db)\n"),
    ),
    "the first layer moves half as far": (
        (_LOSSES, f"{_LOSSES}        grads = [(grads[0][0] / 2, grads[0][1]), *grads[1:]]\n"),
    ),
    "the last layer is not updated": (
        (_LOSSES, f"{_LOSSES}        grads = [*grads[:-1], (0 * grads[-1][0], grads[-1][1])]\n"),
    ),
    "nothing is updated": ((_STEP, "            (w, b)\n"),),
    "every update is 1 % too long": (
        (_STEP, "            (w - 1.01 * rate * dw, None if b is None else b - 1.01 * rate * db)\n"),
    ),
    "final are the initial weights": (
        ("    rate, losses, kept =", "    begun = params\n    rate, losses, kept ="),
        (_FINAL, "    params = begun if losses else params\n    final = now(schedule.updates)\n"),
    ),
    "final_loss is 123": ((_LAST, "    last = 123.0\n"),),
    "final_loss is the last batch's": ((_LAST, "    last = losses[-1]\n"),),
    "recorded losses are halved": ((_LOSSES, "        losses.append(loss / 2)\n"),),
    "the first sample of a batch is left out of the update": (
        (
            _LOSSES,
            f"{_LOSSES}        some = batch if isinstance(batch, slice) else batch[1:]\n"
            "        some = slice(1, None) if isinstance(batch, slice) else some\n"
            "        if len(inputs[some]):\n"
            "            _, grads = loss_and_grads(network, params, inputs[some], targets[some])\n",
        ),
    ),
}  # fmt: skip
_FORWARD = "    return [np.asarray(a, inputs.dtype) for a in predict(params, inputs)]\n"
_GRADIENTS = "    return float(loss), [\n"
_TOLD: Mapping[str, tuple[str, str]] = {
    "forward tells 1.001 times the first activations": (
        _FORWARD,
        "    first, *others = predict(params, inputs)\n    return [first * 1.001, *others]\n",
    ),
    "the first layer's gradient is halved": (
        _GRADIENTS,
        f"    grads = [(grads[0][0] / 2, grads[0][1]), *grads[1:]]\n{_GRADIENTS}",
    ),
    "one entry of the last gradient has the wrong sign": (
        _GRADIENTS,
        f"    grads[-1][0][0, 0] *= -1\n{_GRADIENTS}",
    ),
    "the last bias has no gradient": (
        _GRADIENTS,
        "    *others, (dw, db) = grads\n"
        f"    grads = [*others, (dw, None if db is None else 0 * db)]\n{_GRADIENTS}",
    ),
    "the loss is 1 % too large": ("float(loss)", "1.01 * float(loss)"),
    "the gradient is wrong for a batch of one": (
        _GRADIENTS,
        f"    if len(inputs) == 1:\n        grads = [(dw / 2, db) for dw, db in grads]\n{_GRADIENTS}",
    ),
}
_UPDATE = "layer[which] = like - learning_rate * np.asarray(slope).reshape(like.shape)"
_ROWS = "for row in range(len(inputs)):"
_EACH: Mapping[str, tuple[str, str]] = {
    "the last sample is left out": (_ROWS, "for row in range(len(inputs) - 1):"),
    "the first sample comes twice": (_ROWS, "for row in [0, *range(len(inputs))]:"),
    "from the second sample on, half the rate": (
        _UPDATE,
        "layer[which] = like - learning_rate / (1 + (row > 0)) * np.asarray(slope).reshape(like.shape)",
    ),
    "the biases are not updated": (
        _UPDATE,
        f"if like.ndim == 2:\n                        {_UPDATE}",
    ),
    "the first layer's update is halved": (
        _UPDATE,
        "part = 0.5 if layer is params[0] else 1\n"
        "                    layer[which] = like - part * learning_rate * np.asarray(slope).reshape(like.shape)",
    ),
    "the last layer stays after the tenth sample": (
        _UPDATE,
        f"if row < 10 or layer is not params[-1]:\n                        {_UPDATE}",
    ),
}


def beside_conventions() -> Iterator[Program]:
    """Yield each mistake with each convention in turn; the base is the convention without the mistake."""
    chosen = [one for one in CONVENTIONS if one.name in _CHOSEN]
    for number, convention in enumerate(chosen):
        base = module(convention)
        changes = {
            name: many
            for at, (name, many) in enumerate(_MISTAKES.items())
            if (at + number) % 2 == 0
        }
        changes |= {
            name: (one,) for at, (name, one) in enumerate(_TOLD.items()) if (at + number) % 2
        }
        for effect, replacements in changes.items():
            yield _changed(
                f"{convention.name}, {effect}", {"program.py": base}, "program.py", replacements
            )
    for convention in (one for one in CONVENTIONS if one.name in (*_CHOSEN[:2], "MSE")):
        files = sample_by_sample(convention)
        for effect, one in _EACH.items():
            name = f"{convention.name}, an update after every sample, {effect}"
            yield _changed(name, files, "adapter.py", (one,))


def _changed(
    name: str, files: Mapping[str, str], file: str, replacements: tuple[tuple[str, str], ...]
) -> Program:
    text = files[file]
    for old, new in replacements:
        if text.count(old) != 1:
            raise ValueError(f"{name}: the text has not one {old!r}")
        text = text.replace(old, new)
    return Program(
        f"{PROPERTY}: {name}",
        PROPERTY,
        {**files, file: text},
        right=False,
        adapter="adapter.py" if "adapter.py" in files else "",
        base={file: files[file]},
    )
