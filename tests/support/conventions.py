"""Programs of the contract under another convention than the assignment's, with a place for a mistake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from gradparity.contract import (
    Layer,
    Params,
    Schedule,
    Snapshot,
    State,
    Trajectory,
    map_params,
    tensors,
)

Array = np.ndarray


def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


def squares(p: Array, y: Array) -> tuple[Any, Array]:
    """The MSE and its derivative by the outputs."""
    return np.mean((p - y) ** 2), 2 * (p - y) / p.size


def half_squares(p: Array, y: Array) -> tuple[Any, Array]:
    return np.mean((p - y) ** 2) / 2, (p - y) / p.size


def cross_entropy(p: Array, y: Array) -> tuple[Any, Array]:
    """That of two classes."""
    loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    return loss, (p - y) / (p * (1 - p)) / p.size


def of_labels(p: Array, y: Array) -> tuple[Any, Array]:
    """The same for the labels 0 and 1, and for no others."""
    if not np.all((y == 0) | (y == 1)):
        raise ValueError("labels are 0 or 1")
    right = np.where(y == 1, p, 1 - p)
    return -np.mean(np.log(right)), np.where(y == 1, -1, 1) / right / p.size


def fourth_powers(p: Array, y: Array) -> tuple[Any, Array]:
    """A loss that is none of the known ones."""
    return np.mean((p - y) ** 4), 4 * (p - y) ** 3 / p.size


def unchanged(params: Params) -> Params:
    return params


@dataclass(frozen=True)
class Program:
    """A fully connected network in the usual formulas.

    Attributes:
        loss: returns the loss and its derivative by the outputs.
        penalty: λ of λ/2 Σ w² over the weights.
        per_sample: it updates after every sample.
        tanh: the hidden layers have tanh in place of the sigmoid.
        grads: changes the gradients that it shows.
        after: changes the weights after an update.
        change: changes the gradients from which an update is made.
        end: changes what `train` returns.
    """

    loss: Callable[[Array, Array], tuple[Any, Array]] = squares
    penalty: float = 0.0
    per_sample: bool = False
    tanh: bool = False
    grads: Callable[[Params], Params] = unchanged
    after: Callable[[Params], Params] = unchanged
    change: Callable[[Params], Params] = unchanged
    end: Callable[[Trajectory], Trajectory] = lambda run: run

    def forward(self, _: Any, params: Params, inputs: Array) -> list[Array]:
        activations = [inputs]
        for number, (weight, bias) in enumerate(params, 1):
            z = activations[-1] @ weight + (0 if bias is None else bias)
            hidden = number < len(params)
            activations.append(np.tanh(z) if self.tanh and hidden else sigmoid(z))
        return activations[1:]

    def right(self, params: Params, inputs: Array, targets: Array) -> tuple[float, Params]:
        layers = [inputs, *self.forward(None, params, inputs)]
        loss, d = self.loss(layers[-1], targets)
        grads: list[Layer] = []
        for k in reversed(range(len(params))):
            (weight, bias), a = params[k], layers[k + 1]
            d = d * (1 - a**2 if self.tanh and k < len(params) - 1 else a * (1 - a))
            by_weight = layers[k].T @ d + self.penalty * weight
            grads.insert(0, Layer(by_weight, None if bias is None else d.sum(0)))
            d = d @ weight.T
        loss += self.penalty / 2 * sum(np.sum(weight**2) for weight, _ in params)
        return float(loss), tuple(grads)

    def loss_and_grads(self, _: Any, params: Params, inputs: Array, targets: Array) -> Any:
        loss, grads = self.right(params, inputs, targets)
        return loss, self.grads(grads)

    def told(self, _: Any, params: Params, inputs: Array, targets: Array) -> float:
        return self.right(params, inputs, targets)[0]

    def step(
        self, _: Any, params: Params, inputs: Array, targets: Array, learning_rate: float
    ) -> Params:
        count = len(inputs)
        rows = [slice(i, i + 1) for i in range(count)] if self.per_sample else [slice(count)]
        for row in rows:
            grads = self.change(self.right(params, inputs[row], targets[row])[1])
            params = map_params(lambda w, g: w - learning_rate * g, params, grads)
        return self.after(params)

    def train(
        self,
        network: Any,
        params: Params,
        inputs: Array,
        targets: Array,
        schedule: Schedule,
        state: State | None = None,
    ) -> Trajectory:
        kept, losses = {}, []
        start = state.updates if state else 0
        for update in range(start, schedule.updates + 1):
            if update in schedule.keep:
                kept[update] = Snapshot(map_params(np.copy, params), State(update))
            if update < schedule.updates:
                x, y = (data[schedule.batch(update)] for data in (inputs, targets))
                losses.append(self.told(network, params, x, y))
                rate = schedule.learning_rate
                params = self.step(network, params, x, y, learning_rate=float(rate))
        final = Snapshot(params, State(schedule.updates))
        loss = self.told(network, params, inputs, targets)
        return self.end(Trajectory(np.array(losses), loss, final, kept))

    def offering(self, *names: str) -> SimpleNamespace:
        """Some of its functions as an implementation; `told` is offered as `loss`."""
        functions = {("loss" if name == "told" else name): getattr(self, name) for name in names}
        return SimpleNamespace(**functions)

    def adapter(self, *names: str, **constants: Any) -> SimpleNamespace:
        """The same as an adapter, with its constants."""

        def behind(function: Callable[..., Any]) -> Callable[..., Any]:
            return lambda _, *arguments, **keywords: function(*arguments, **keywords)

        offered = vars(self.offering(*names))
        return SimpleNamespace(**{n: behind(f) for n, f in offered.items()}, **constants)


def in_one_layer(factor: float) -> Callable[[Params], Params]:
    """Multiply the first layer."""
    return lambda params: (*map_params(lambda t: factor * t, params[:1]), *params[1:])


def all_42(params: Params) -> Params:
    return map_params(lambda tensor: np.full_like(tensor, 42), params)


def one_entry_off(by: float) -> Callable[[Params], Params]:
    """Change one entry of one tensor by this much of itself."""

    def change(params: Params) -> Params:
        changed = map_params(np.copy, params)
        tensors(changed)[0][0, 0] *= 1 + by
        return changed

    return change
