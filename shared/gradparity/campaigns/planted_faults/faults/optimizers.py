"""Faults in the optimizers and in the weight decay."""

from __future__ import annotations

from .base import LINE, Fault, Patch


def _patch(marker: str, new: str) -> Patch:
    return Patch("optimizers", "_update", marker, new)


def _one(name: str, marker: str, new: str, mistake: str) -> Fault:
    return Fault(name, (_patch(marker, new),), mistake)


def _two(name: str, first: tuple[str, str], second: tuple[str, str], mistake: str) -> Fault:
    return Fault(name, (_patch(*first), _patch(*second)), mistake)


MOMENTUM: tuple[Fault, ...] = (
    Fault(
        "no step",
        (Patch("train", "train", "w", "state = state._replace(updates=state.updates + 1)"),),
        "the update is skipped",
    ),
    _one(
        "dampened momentum",
        "velocity",
        "velocity[:] = momentum * velocity + (1 - momentum) * g",
        "momentum: the velocity takes (1 - momentum) g",
    ),
    _one(
        "dampened in the first update only",
        "velocity",
        "velocity[:] = momentum * velocity + (g if t > 1 else (1 - momentum) * g)",
        "momentum: the first velocity is (1 - momentum) g",
    ),
    _two(
        "learning rate in the velocity",
        ("velocity", "velocity[:] = momentum * velocity + rate * g"),
        ("momentum", "w -= rate * g + momentum * velocity if nesterov else velocity"),
        "momentum: the learning rate is in the velocity",
    ),
    _one(
        "Nesterov as plain momentum",
        "momentum",
        "w -= rate * velocity",
        "Nesterov's step is that of plain momentum",
    ),
    _one(
        "momentum as Nesterov's",
        "momentum",
        "w -= rate * (g + momentum * velocity)",
        "plain momentum's step is Nesterov's",
    ),
    _one(
        "momentum forgotten in the velocity",
        "velocity",
        "velocity[:] = velocity + g",
        "momentum: the velocity is a plain sum",
    ),
    _one(
        "velocity kept with the wrong sign",
        "velocity",
        "velocity[:] = momentum * velocity - g",
        "momentum: the velocity takes -g",
    ),
    _one(
        "velocity not kept",
        "velocity",
        "velocity = momentum * velocity + g",
        "momentum: the velocity is not kept",
    ),
    _two(
        "velocity used before it is renewed",
        ("velocity", f"before = velocity.copy()\n{LINE}"),
        ("momentum", "w -= rate * (g + momentum * before if nesterov else before)"),
        "momentum: the step is taken with the velocity before",
    ),
)

_STARTS_AT = f"""
{LINE}
if isinstance(schedule.optimizer, Adagrad):
    zeros = map_params(lambda w: np.full_like(w, 0.1), params)
""".strip()
_KEPT_CORRECTED = """
first /= 1 - beta1**t
second /= 1 - beta2**t
mean, square = first, second
""".strip()
_MOMENTS = "mean, square = {}, {}"
_FIRST, _SECOND = "first / (1 - beta1**{t})", "second / (1 - beta2**{t})"
_AT = _MOMENTS.format(_FIRST, _SECOND)

ADAPTIVE: tuple[Fault, ...] = (
    _one(
        "Adagrad, ε inside the root",
        "Adagrad",
        "w -= rate * g / np.sqrt(square_sum + epsilon)",
        "Adagrad: ε is inside the root",
    ),
    Fault(
        "Adagrad starts at 0.1",
        (Patch("optimizers", "initial_state", "zeros", _STARTS_AT),),
        "Adagrad: the sum of squares starts at 0.1",
    ),
    _one(
        "Adagrad without the root",
        "Adagrad",
        "w -= rate * g / (square_sum + epsilon)",
        "Adagrad: the root is missing",
    ),
    _two(
        "Adagrad divides by the sum before",
        ("square sum", f"before = square_sum.copy()\n{LINE}"),
        ("Adagrad", "w -= rate * g / (np.sqrt(before) + epsilon)"),
        "Adagrad: the step is taken with the sum before",
    ),
    _one(
        "Adagrad sums no squares",
        "square sum",
        "square_sum += np.abs(g)",
        "Adagrad: the sum is of |g|, not of g²",
    ),
    _one(
        "RMSProp, ε inside the root",
        "RMSProp",
        "w -= rate * g / np.sqrt(square_average + epsilon)",
        "RMSProp: ε is inside the root",
    ),
    _one(
        "RMSProp, decay and 1 - decay swapped",
        "square average",
        "square_average[:] = (1 - decay) * square_average + decay * g**2",
        "RMSProp: decay and 1 - decay are swapped",
    ),
    _one(
        "RMSProp without the root",
        "RMSProp",
        "w -= rate * g / (square_average + epsilon)",
        "RMSProp: the root is missing",
    ),
    _one(
        "RMSProp adds g² undiminished",
        "square average",
        "square_average[:] = decay * square_average + g**2",
        "RMSProp: g² is added undiminished",
    ),
    _one(
        "Adam, ε inside the root",
        "Adam",
        "w -= rate * mean / np.sqrt(square + epsilon)",
        "Adam: ε is inside the root",
    ),
    _one(
        "Adam, ε before the correction",
        "Adam",
        "w -= rate * mean * np.sqrt(1 - beta2**t) / (np.sqrt(second) + epsilon)",
        "Adam: ε is added before the correction",
    ),
    _one(
        "Adam, t too small by one",
        "corrected moments",
        _AT.format(t="(t - 1)"),
        "Adam: t is too small by one",
    ),
    _one(
        "Adam, t too large by one",
        "corrected moments",
        _AT.format(t="(t + 1)"),
        "Adam: t is too large by one",
    ),
    _one("Adam, t starts anew", "corrected moments", _AT.format(t="1"), "Adam: t is always 1"),
    _one(
        "Adam without bias correction",
        "corrected moments",
        _MOMENTS.format("first", "second"),
        "Adam: no moment is corrected",
    ),
    _one(
        "Adam, second moment not corrected",
        "corrected moments",
        _MOMENTS.format(_FIRST, "second").format(t="t"),
        "Adam: the second moment is not corrected",
    ),
    _one(
        "Adam, first moment not corrected",
        "corrected moments",
        _MOMENTS.format("first", _SECOND).format(t="t"),
        "Adam: the first moment is not corrected",
    ),
    _one(
        "Adam, the moments kept corrected",
        "corrected moments",
        _KEPT_CORRECTED,
        "Adam: the corrected moments are kept",
    ),
    _one(
        "Adam, β1 and β2 swapped",
        "first moment",
        f"beta1, beta2 = beta2, beta1\n{LINE}",
        "Adam: β1 and β2 are swapped",
    ),
    _one(
        "Adam without the root",
        "Adam",
        "w -= rate * mean / (square + epsilon)",
        "Adam: the root is missing",
    ),
    _one(
        "Adam, the gradient in place of the first moment",
        "corrected moments",
        _MOMENTS.format("g", _SECOND).format(t="t"),
        "Adam: the step takes g for the first moment",
    ),
)

_COUPLED, _DECOUPLED = "g = g + schedule.weight_decay * w", "w -= rate * schedule.weight_decay * w"

DECAY: tuple[Fault, ...] = (
    _one(
        "coupled for decoupled",
        "decoupled decay",
        _COUPLED,
        "the weight decay is coupled, not decoupled",
    ),
    _one(
        "decoupled for coupled",
        "coupled decay",
        _DECOUPLED,
        "the weight decay is decoupled, not coupled",
    ),
    _one(
        "decoupled decay without the learning rate",
        "decoupled decay",
        "w -= schedule.weight_decay * w",
        "the decoupled weight decay is not multiplied by the learning rate",
    ),
    _one(
        "coupled decay with the learning rate",
        "coupled decay",
        "g = g + rate * schedule.weight_decay * w",
        "the coupled weight decay is multiplied by the learning rate",
    ),
    _two(
        "decay of weights only",
        ("decoupled decay", f"if w.ndim > 1:\n    {LINE}"),
        ("coupled decay", f"if w.ndim > 1:\n    {LINE}"),
        "the weight decay leaves out the biases",
    ),
    _two(
        "decay twice",
        ("decoupled decay", f"{LINE}\n{LINE}"),
        ("coupled decay", f"{LINE}\n{LINE}"),
        "the weight decay is applied twice",
    ),
    _two(
        "decay with λ doubled",
        ("decoupled decay", "w -= 2 * rate * schedule.weight_decay * w"),
        ("coupled decay", "g = g + 2 * schedule.weight_decay * w"),
        "the weight decay is 2 λ",
    ),
    _two(
        "decay of the wrong sign",
        ("decoupled decay", "w += rate * schedule.weight_decay * w"),
        ("coupled decay", "g = g - schedule.weight_decay * w"),
        "the weight decay has the wrong sign",
    ),
    _two(
        "no decay",
        ("decoupled decay", "pass"),
        ("coupled decay", "pass"),
        "the weight decay is missing",
    ),
)
