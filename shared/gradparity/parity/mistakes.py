"""Known mistakes, each as the equations that it amounts to: the vocabulary of the diagnosis.

A mistake is a prediction, not a heuristic: what a program with just this mistake would compute, in the
oracle's precision. `diagnosis` holds a wrong result against the predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..contract import Params, map_params
from .case import Case, oracle_dtype
from .reference import (
    RIGHT,
    Array,
    Equations,
    Pass,
    cast,
    evaluate,
    sgd_step,
    sigmoid,
    sigmoid_prime,
)

Layers = frozenset[int]


Predict = Callable[[Case, Equations, Layers, float], Pass | None]


@dataclass(frozen=True)
class Mistake:
    """One kind of mistake.

    Attributes:
        name: in words.
        wrong: the line of algebra as the mistake has it.
        right: the line as it should be.
        predict: (case, equations, layers, scale) → the pass with this mistake in these layers, on top of `equations`;
            None where it cannot be made. `scale` is the factor by which the program multiplies the gradients
            of this pass.
        by_layer: it can be made in some layers and not in others.
        linear: its gradients do not depend on `scale`.
        roundings: how many times the roundings of one update it takes, by case.
    """

    name: str
    wrong: str
    right: str
    predict: Predict
    by_layer: bool = True
    linear: bool = True
    roundings: Callable[[Case], int] = lambda _: 1


def run(case: Case, equations: Equations, params: Params | None = None, rows: Any = None) -> Pass:
    """A pass over the case's batch, or other rows, in the oracle's precision."""
    wide = oracle_dtype()
    rows = case.schedule.batch(case.update) if rows is None else rows
    return evaluate(
        case.network,
        cast(case.params if params is None else params, wide),
        case.inputs[rows].astype(wide),
        case.targets[rows].astype(wide),
        equations,
    )


def patched(equations: Equations, layers: Layers, **changes: Callable[..., Any]) -> Equations:
    """`equations`, with others in these layers; each takes the arguments of the one that it replaces."""

    def switch(right: Callable[..., Any], wrong: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: (wrong if arguments[-1] in layers else right)(*arguments)

    fields = {name: switch(getattr(equations, name), wrong) for name, wrong in changes.items()}
    return replace(equations, **fields)


def _by(**changes: Callable[..., Any]) -> Predict:
    def predict(case: Case, equations: Equations, layers: Layers, _: float) -> Pass | None:
        try:
            return run(case, patched(equations, layers, **changes))
        except ValueError:  # shapes that do not fit
            return None

    return predict


def _output(
    output: Callable[[Array, Array], Array], loss: Callable[[Array, Array], Any]
) -> Predict:
    return lambda case, equations, _, __: run(case, replace(equations, output=output, loss=loss))


# --- activations -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Activation:
    """An activation function that is not the sigmoid, with its derivative by (z, a)."""

    name: str
    formula: str
    function: Callable[[Array], Array]
    derivative: Callable[[Array, Array], Array]


def _softmax(z: Array) -> Array:
    exp = np.exp(z - np.max(z, axis=1, keepdims=True))
    return exp / np.sum(exp, axis=1, keepdims=True)


ACTIVATIONS = (
    Activation("tanh", "tanh(z)", np.tanh, lambda _, a: 1 - a * a),
    Activation("ReLU", "max(0, z)", lambda z: np.maximum(z, 0), lambda z, _: (z > 0) * (z * 0 + 1)),
    Activation("no activation", "z", lambda z: z, lambda z, _: z * 0 + 1),
    Activation("the sigmoid twice", "σ(σ(z))", lambda z: sigmoid(sigmoid(z)),
               lambda z, _: sigmoid_prime(sigmoid(z)) * sigmoid_prime(z)),
    Activation("the sigmoid of -z", "σ(-z)", lambda z: sigmoid(-z), lambda z, _: -sigmoid_prime(z)),
    Activation("the sigmoid of 2z", "σ(2z) = (1 + tanh z)/2", lambda z: sigmoid(2 * z),
               lambda z, _: 2 * sigmoid_prime(2 * z)),
    Activation("softplus", "log(1 + e^z)", lambda z: np.logaddexp(0, z), lambda z, _: sigmoid(z)),
    Activation("a hard sigmoid", "clip(z/6 + ½, 0, 1)", lambda z: np.clip(z / 6 + z.dtype.type(0.5), 0, 1),
               lambda z, _: (np.abs(z) < 3) / (z * 0 + 6)),
    Activation("softmax", "e^z / Σ e^z", _softmax, lambda _, a: a * (1 - a)),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class ForwardMistake:
    """A mistake in the forward pass: other equations, on which mistakes in the gradient may come on top."""

    name: str
    wrong: str
    right: str
    changes: Mapping[str, Callable[..., Any]]

    def equations(self, layers: Layers) -> Equations:
        """The equations with this mistake in these layers."""
        return patched(RIGHT, layers, **self.changes)


def _activated(activation: Activation) -> ForwardMistake:
    return ForwardMistake(
        f"{activation.name} in place of the sigmoid",
        f"a = {activation.formula}",
        "a = σ(z)",
        {
            "activate": lambda z, _: activation.function(z),
            "slope": lambda z, a, _: activation.derivative(z, a),
        },
    )


def _activated_only(activation: Activation) -> ForwardMistake:
    return ForwardMistake(
        f"{activation.name} in place of the sigmoid, the sigmoid's derivative kept",
        f"a = {activation.formula}, while σ' = a (1 - a)",
        "a = σ(z), σ' = a (1 - a)",
        {
            "activate": lambda z, _: activation.function(z),
            "slope": lambda _z, a, _: a * (1 - a),
        },
    )


FORWARD: tuple[ForwardMistake, ...] = (
    *map(_activated, ACTIVATIONS),
    *map(_activated_only, ACTIVATIONS),
    ForwardMistake(
        "the bias is left out",
        "z = a_below W",
        "z = a_below W + b",
        {"weigh": lambda below, weight, _b, _: below @ weight},
    ),
    ForwardMistake(
        "the bias is subtracted",
        "z = a_below W - b",
        "z = a_below W + b",
        {"weigh": lambda below, w, b, _: below @ w if b is None else below @ w - b},
    ),
    ForwardMistake(
        "the bias is added twice",
        "z = a_below W + 2 b",
        "z = a_below W + b",
        {"weigh": lambda below, w, b, _: below @ w if b is None else below @ w + 2 * b},
    ),
    ForwardMistake(
        "the weight is transposed in the forward pass",
        "z = a_below Wᵀ + b",
        "z = a_below W + b",
        {"weigh": lambda below, w, b, _: below @ w.T if b is None else below @ w.T + b},
    ),
)


# --- gradients ---------------------------------------------------------------------------------------------------


def _neighbour(offset: int) -> Predict:
    """σ' of the layer below (-1) or above (+1), in those of the layers where the shapes allow it."""

    def predict(case: Case, equations: Equations, layers: Layers, _: float) -> Pass | None:
        a = [case.batch[0].astype(oracle_dtype()), *run(case, equations).activations[1:]]
        other = {
            layer: a[layer + 1 + offset]
            for layer in layers
            if 0 <= layer + 1 + offset < len(a)
            and a[layer + 1 + offset].shape == a[layer + 1].shape
        }
        return (
            None
            if not other
            else run(
                case,
                patched(
                    equations,
                    frozenset(other),
                    slope=lambda _z, _a, at: other[at] * (1 - other[at]),
                ),
            )
        )

    return predict


def _transposed(case: Case, equations: Equations, layers: Layers, _: float) -> Pass | None:
    """δ W for δ Wᵀ, in those of the layers that are square."""
    square = frozenset(at for at in layers if len(set(case.params[at].weight.shape)) == 1)
    changed = patched(equations, square, passed_down=lambda _d_a, delta, weight, _: delta @ weight)
    return run(case, changed) if square - {0} else None


def _detached(case: Case, equations: Equations, layers: Layers, _: float) -> Pass | None:
    """No gradient reaches what lies below the highest of these layers."""
    if len(layers) != 1 or 0 in layers:
        return None
    (top,) = layers
    found = run(case, equations)
    grads = tuple(
        map_params(np.zeros_like, (layer,))[0] if index < top else layer
        for index, layer in enumerate(found.grads)
    )
    return replace(found, grads=grads)


def _frozen(case: Case, equations: Equations, layers: Layers, _: float) -> Pass | None:
    found = run(case, equations)
    grads = tuple(
        map_params(np.zeros_like, (layer,))[0] if index in layers else layer
        for index, layer in enumerate(found.grads)
    )
    return replace(found, grads=grads)


def _updated_first(case: Case, equations: Equations, layers: Layers, scale: float) -> Pass | None:
    """δ Wᵀ with the W that has just been updated."""
    if layers <= {0}:
        return None
    rate = oracle_dtype()(case.schedule.learning_rate * scale)
    weight_grads: dict[int, Array] = {}

    def weight_grad(below: Array, d_a: Array, delta: Array, layer: int) -> Array:
        weight_grads[layer] = equations.weight_grad(below, d_a, delta, layer)
        return weight_grads[layer]

    def passed_down(d_a: Array, delta: Array, weight: Array, layer: int) -> Array:
        if layer in layers:
            weight = weight - rate * weight_grads[layer]
        return equations.passed_down(d_a, delta, weight, layer)

    return run(case, replace(equations, weight_grad=weight_grad, passed_down=passed_down))


def _without(sample: int, *, keep_count: bool = False) -> Predict:
    """The batch's first (0) or last (-1) sample is left out; the mean may still divide by its full size."""

    def predict(case: Case, equations: Equations, _: Layers, __: float) -> Pass | None:
        rows = np.arange(len(case.inputs))[case.schedule.batch(case.update)]
        if keep_count:

            def output(predictions: Array, targets: Array) -> Array:
                d_a = equations.output(predictions, targets)
                d_a[sample] = 0
                return d_a

            return run(case, replace(equations, output=output))
        return run(case, equations, rows=np.delete(rows, sample)) if len(rows) > 1 else None

    return predict


def _broadcast(case: Case, equations: Equations, _: Layers, __: float) -> Pass | None:
    """(N, 1) - (N,) is (N, N): every prediction is compared with every target."""
    if case.targets.shape[1] != 1:
        return None
    return run(
        case,
        replace(
            equations,
            loss=lambda a, y: np.mean((a - y.T) ** 2),
            output=lambda a, y: 2 * (a - np.mean(y)) / len(a),
        ),
    )


def cross_entropy(predictions: Array, targets: Array) -> Any:
    """Binary cross-entropy, the mean over all elements."""
    return -np.mean(targets * np.log(predictions) + (1 - targets) * np.log1p(-predictions))


CROSS_ENTROPY = Mistake(
    "binary cross-entropy in place of the MSE",
    "∂L/∂a = (a - y) / (a (1 - a)) / elements",
    "∂L/∂a = 2 (a - y) / elements",
    _output(lambda a, y: (a - y) / (a * (1 - a)) / y.size, cross_entropy),
    by_layer=False,
)

_RIGHT_DELTA = "δ = ∂L/∂a ⊙ a (1 - a)"
_RIGHT_BIAS = "∂L/∂b = Σ over samples of δ"
_RIGHT_DOWN = "∂L/∂a_below = δ Wᵀ"
_RIGHT_WEIGHT = "∂L/∂W = a_belowᵀ δ"

GRADIENT: tuple[Mistake, ...] = (
    Mistake("σ' is missing", "δ = ∂L/∂a", _RIGHT_DELTA, _by(slope=lambda z, _a, _: z * 0 + 1)),
    Mistake(
        "σ' is applied twice",
        "δ = ∂L/∂a ⊙ (a (1 - a))²",
        _RIGHT_DELTA,
        _by(slope=lambda z, _a, _: sigmoid_prime(z) ** 2),
    ),
    Mistake(
        "σ' = a (1 - a) is given z for a",
        "δ = ∂L/∂a ⊙ z (1 - z)",
        _RIGHT_DELTA,
        _by(slope=lambda z, _a, _: z * (1 - z)),
    ),
    Mistake(
        "σ'(z) is given a for z",
        "δ = ∂L/∂a ⊙ σ'(a)",
        _RIGHT_DELTA,
        _by(slope=lambda _z, a, _: sigmoid_prime(a)),
    ),
    Mistake(
        "σ' of the layer below", "δ = ∂L/∂a ⊙ a_below (1 - a_below)", _RIGHT_DELTA, _neighbour(-1)
    ),
    Mistake(
        "σ' of the layer above", "δ = ∂L/∂a ⊙ a_above (1 - a_above)", _RIGHT_DELTA, _neighbour(+1)
    ),
    Mistake(
        "tanh' in place of σ'",
        "δ = ∂L/∂a ⊙ (1 - a²)",
        _RIGHT_DELTA,
        _by(slope=lambda _z, a, _: 1 - a * a),
    ),
    Mistake(
        "ReLU' in place of σ'",
        "δ = ∂L/∂a ⊙ [z > 0]",
        _RIGHT_DELTA,
        _by(slope=lambda z, _a, _: (z > 0) + z * 0),
    ),
    Mistake(
        "σ' has the wrong sign",
        "δ = ∂L/∂a ⊙ a (a - 1)",
        _RIGHT_DELTA,
        _by(slope=lambda z, _a, _: -sigmoid_prime(z)),
    ),
    Mistake("σ' is a alone", "δ = ∂L/∂a ⊙ a", _RIGHT_DELTA, _by(slope=lambda _z, a, _: a)),
    Mistake(
        "σ' is 1 - a alone",
        "δ = ∂L/∂a ⊙ (1 - a)",
        _RIGHT_DELTA,
        _by(slope=lambda z, _a, _: sigmoid(-z)),
    ),
    Mistake(
        "σ' is missing in the weight gradient only",
        "∂L/∂W = a_belowᵀ ∂L/∂a",
        _RIGHT_WEIGHT,
        _by(weight_grad=lambda below, d_a, _delta, _: below.T @ d_a),
    ),
    Mistake(
        "σ' is missing in what is passed down",
        "∂L/∂a_below = ∂L/∂a Wᵀ",
        _RIGHT_DOWN,
        _by(passed_down=lambda d_a, _delta, weight, _: d_a @ weight.T),
    ),
    Mistake(
        "the weight is transposed in back-propagation",
        "∂L/∂a_below = δ W",
        _RIGHT_DOWN,
        _transposed,
    ),
    Mistake(
        "the gradient is computed after the layer above was updated",
        "∂L/∂a_below = δ (W - lr ∂L/∂W)ᵀ",
        _RIGHT_DOWN,
        _updated_first,
        linear=False,
    ),
    Mistake(
        "the bias gradient is missing",
        "∂L/∂b = 0",
        _RIGHT_BIAS,
        _by(bias_grad=lambda delta, _: np.zeros_like(delta[0])),
    ),
    Mistake(
        "the bias gradient is averaged over the samples",
        "∂L/∂b = mean over samples of δ",
        _RIGHT_BIAS,
        _by(bias_grad=lambda delta, _: np.mean(delta, axis=0)),
    ),
    Mistake(
        "the bias gradient is the last sample's",
        "∂L/∂b = δ of the last sample",
        _RIGHT_BIAS,
        _by(bias_grad=lambda delta, _: delta[-1]),
    ),
    Mistake(
        "the bias gradient is the first sample's",
        "∂L/∂b = δ of the first sample",
        _RIGHT_BIAS,
        _by(bias_grad=lambda delta, _: delta[0]),
    ),
    Mistake(
        "the bias gradient has the wrong sign",
        "∂L/∂b = -Σ over samples of δ",
        _RIGHT_BIAS,
        _by(bias_grad=lambda delta, _: -np.sum(delta, axis=0)),
    ),
    Mistake(
        "the weight gradient has the wrong sign",
        "∂L/∂W = -a_belowᵀ δ",
        _RIGHT_WEIGHT,
        _by(weight_grad=lambda below, _d_a, delta, _: -below.T @ delta),
    ),
    Mistake(
        "the weight gradient is averaged over the samples",
        "∂L/∂W = a_belowᵀ δ / N",
        _RIGHT_WEIGHT,
        _by(weight_grad=lambda below, _d_a, delta, _: below.T @ delta / len(delta)),
    ),
    Mistake(
        "the layer is detached: no gradient reaches the layers below",
        "∂L/∂a_below = 0",
        _RIGHT_DOWN,
        _detached,
    ),
    Mistake(
        "the layer is frozen: its gradient is zero", "∂L/∂W = 0, ∂L/∂b = 0", _RIGHT_WEIGHT, _frozen
    ),
    Mistake(
        "the last sample is dropped",
        "sums over N - 1 samples, divided by N - 1",
        "sums over N samples",
        _without(-1),
        by_layer=False,
    ),
    Mistake(
        "the last sample is dropped, the mean still divides by N",
        "sums over N - 1 samples, divided by N",
        "sums over N samples",
        _without(-1, keep_count=True),
        by_layer=False,
    ),
    Mistake(
        "the first sample is dropped",
        "sums over N - 1 samples, divided by N - 1",
        "sums over N samples",
        _without(0),
        by_layer=False,
    ),
    Mistake(
        "the first sample is dropped, the mean still divides by N",
        "sums over N - 1 samples, divided by N",
        "sums over N samples",
        _without(0, keep_count=True),
        by_layer=False,
    ),
    Mistake(
        "predictions (N, 1) and targets (N,) broadcast to (N, N)",
        "r_ij = a_i - y_j",
        "r_i = a_i - y_i",
        _broadcast,
        by_layer=False,
    ),
    CROSS_ENTROPY,
    Mistake(
        "the sign of the residual in place of the residual (the gradient of the mean absolute error)",
        "∂L/∂a = sign(a - y) / elements",
        "∂L/∂a = 2 (a - y) / elements",
        _output(lambda a, y: np.sign(a - y) / y.size, lambda a, y: np.mean(np.abs(a - y))),
        by_layer=False,
    ),
)


# --- training loops ----------------------------------------------------------------------------------------------


def _on(rows: Callable[[Case], Any]) -> Predict:
    """The update is computed on other rows than its batch."""

    def predict(case: Case, equations: Equations, _: Layers, __: float) -> Pass | None:
        other = rows(case)
        return None if other is None else run(case, equations, rows=other)

    return predict


def _unshuffled(case: Case) -> slice | None:
    size = case.schedule.batch_size
    if size is None:
        return None
    start = case.update % case.schedule.updates_per_epoch * size
    return slice(start, start + size)


def _neighbouring(case: Case, offset: int) -> Any:
    update = case.update + offset
    return case.schedule.batch(update) if 0 <= update < case.schedule.updates else None


def _first_order(case: Case) -> Any:
    return case.schedule.batch(case.update % case.schedule.updates_per_epoch)


def _skipped(case: Case, equations: Equations, _: Layers, __: float) -> Pass | None:
    found = run(case, equations)
    return replace(found, grads=map_params(np.zeros_like, found.grads))


def _earlier(case: Case, equations: Equations, *, rows: int) -> Pass | None:
    """The gradient at the weights before the last update, on the batch before (-1) or on this one (0)."""
    if case.previous is None or (batch := _neighbouring(case, rows)) is None:
        return None
    return run(case, equations, case.previous, batch)


def _stale(rows: int) -> Predict:
    return lambda case, equations, _, __: _earlier(case, equations, rows=rows)


def _accumulated(case: Case, equations: Equations, _: Layers, __: float) -> Pass | None:
    before = _earlier(case, equations, rows=-1)
    if before is None:
        return None
    found = run(case, equations)
    return replace(found, grads=map_params(np.add, found.grads, before.grads))


def _sample_by_sample(case: Case, equations: Equations, _: Layers, scale: float) -> Pass | None:
    """An update after every sample, in the order of the batch; `scale` is the factor on each sample's gradient."""
    rows = np.arange(len(case.inputs))[case.schedule.batch(case.update)]
    if len(rows) < 2:
        return None
    wide = oracle_dtype()
    rate = wide(case.schedule.learning_rate)
    start = params = cast(case.params, wide)
    for row in rows:
        grads = run(case, equations, params, [row]).grads
        params = sgd_step(params, map_params(lambda g: g * wide(scale), grads), float(rate))
    return replace(
        run(case, equations),
        grads=map_params(lambda old, new: (old - new) / (rate * wide(scale)), start, params),
    )


SAMPLE_BY_SAMPLE = Mistake(
    "an update after every sample",
    "W ← W - lr ∂L_i/∂W for each sample i in turn",
    "W ← W - lr ∂L/∂W, once for the whole batch",
    _sample_by_sample,
    by_layer=False,
    linear=False,
    roundings=lambda case: len(case.batch[0]),
)

_RIGHT_UPDATE = "W ← W - lr ∂L/∂W"
_training = partial(Mistake, by_layer=False)

TRAINING: tuple[Mistake, ...] = (
    _training("the update is skipped", "W ← W", _RIGHT_UPDATE, _skipped),
    _training(
        "the gradient is accumulated: it is not set to zero between updates",
        "W ← W - lr (∂L/∂W + ∂L/∂W of the update before)",
        _RIGHT_UPDATE,
        _accumulated,
    ),
    _training(
        "the gradient is stale: that of the update before",
        "W ← W - lr ∂L/∂W at the weights and on the batch before",
        _RIGHT_UPDATE,
        _stale(-1),
    ),
    _training(
        "the gradient is stale: this batch's, but at the weights before",
        "W ← W - lr ∂L/∂W at the weights before",
        _RIGHT_UPDATE,
        _stale(0),
    ),
    _training(
        "all samples in place of the batch",
        "rows = all",
        "rows = order[batch]",
        _on(lambda _: slice(None)),
    ),
    _training(
        "the batches are not shuffled",
        "rows = consecutive samples",
        "rows = order[epoch, batch]",
        _on(_unshuffled),
    ),
    _training(
        "the first epoch's batches are used in every epoch",
        "rows = order[0, batch]",
        "rows = order[epoch, batch]",
        _on(_first_order),
    ),
    _training(
        "the batch before in place of this one",
        "rows = order[batch - 1]",
        "rows = order[batch]",
        _on(lambda case: _neighbouring(case, -1)),
    ),
    _training(
        "the batch after in place of this one",
        "rows = order[batch + 1]",
        "rows = order[batch]",
        _on(lambda case: _neighbouring(case, 1)),
    ),
    SAMPLE_BY_SAMPLE,
)


# --- factors -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Factor:
    """A factor on the whole gradient, by the number of samples and of outputs; `name` is what multiplies the MSE."""

    name: str
    value: Callable[[int, int], float]
    meaning: str


FACTORS: tuple[Factor, ...] = (
    Factor("1", lambda n, o: 1.0, ""),
    Factor("½", lambda n, o: 0.5, "the 2 of the derivative is missing"),
    Factor("2", lambda n, o: 2.0, "a factor 2 too many"),
    Factor("N/2", lambda n, o: n / 2, "the 2/N of the mean over N samples is missing"),
    Factor("N", lambda n, o: n, "the 1/N is missing: a sum over the samples for a mean"),
    Factor("1/N", lambda n, o: 1 / n, "divided by N twice"),
    Factor("2/N", lambda n, o: 2 / n, "multiplied by 2/N twice"),
    Factor("1/(2N)", lambda n, o: 1 / (2 * n), "divided by N twice, and the 2 is missing"),
    Factor("outputs", lambda n, o: o, "a mean over the batch, but a sum over the outputs"),
    Factor("outputs/2", lambda n, o: o / 2, "a mean over the batch, but a sum over the outputs, and the 2 is missing"),
    Factor("1/outputs", lambda n, o: 1 / o, "divided by the number of outputs twice"),
    Factor("N·outputs/2", lambda n, o: n * o / 2, "the 2/(N·outputs) of the mean is missing"),
    Factor("N·outputs", lambda n, o: n * o, "the 1/(N·outputs) is missing: a sum for a mean"),
    Factor("1/(N·outputs)", lambda n, o: 1 / (n * o), "divided by the number of elements twice"),
)  # fmt: skip


# --- the loss that is told ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WrongLoss:
    """Another loss than the mean of the squares, by (predictions, targets)."""

    name: str
    value: Callable[[Array, Array], Any]


LOSSES: tuple[WrongLoss, ...] = (
    WrongLoss("the MSE", lambda a, y: np.mean((a - y) ** 2)),
    WrongLoss("the binary cross-entropy", cross_entropy),
    WrongLoss("the mean absolute error", lambda a, y: np.mean(np.abs(a - y))),
    WrongLoss("the root of the MSE", lambda a, y: np.sqrt(np.mean((a - y) ** 2))),
    WrongLoss(
        "the MSE of predictions (N, 1) and targets (N,) broadcast to (N, N)",
        lambda a, y: np.mean((a - (y.T if y.shape[1] == 1 else y)) ** 2),
    ),
    WrongLoss("the mean residual, not squared", lambda a, y: np.mean(a - y)),
    WrongLoss(
        "the MSE without the last sample",
        lambda a, y: np.mean((a - y)[:-1] ** 2) if len(y) > 1 else np.nan,
    ),
)


def scopes(depth: int) -> Sequence[tuple[str, Callable[[int], Layers]]]:
    """Where a mistake by layer may sit in networks of up to `depth` layers: in words, and the layers by depth."""
    every = frozenset(range(depth))
    return (
        ("in every layer", lambda n: frozenset(range(n))),
        ("in every hidden layer", lambda n: frozenset(range(n - 1))),
        ("in the output layer", lambda n: frozenset({n - 1})),
        *((f"in layer {k}", lambda n, k=k: frozenset({k} if k < n else ())) for k in sorted(every)),
        ("in the layer before the output", lambda n: frozenset({n - 2} if n > 1 else ())),
        ("in every layer but the first", lambda n: frozenset(range(1, n))),
    )
