"""Common ways to write the same training: a newcomer's, and those usual with each framework."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .limit import Run
from .workloads import Workload


def newcomer(workload: Workload) -> Run:
    """Train in NumPy as in a first course: a list of activations, a loss for every step, an update for each weight."""
    _, params, inputs, targets, schedule = workload.problem()

    def run() -> np.ndarray:
        layers = [[w.copy(), None if b is None else b.copy()] for w, b in params]
        losses = []
        for _ in range(schedule.epochs):
            activations = [inputs]
            for weight, bias in layers:
                z = activations[-1] @ weight
                activations.append(1 / (1 + np.exp(-(z if bias is None else z + bias))))
            error = activations[-1] - targets
            losses.append(float(np.mean(error**2)))
            delta = 2 * error / error.size * activations[-1] * (1 - activations[-1])
            for at in reversed(range(len(layers))):
                weight, bias = layers[at]
                assert weight is not None
                grad, bias_grad = activations[at].T @ delta, delta.sum(0)
                if at:
                    delta = delta @ weight.T * activations[at] * (1 - activations[at])
                weight -= schedule.learning_rate * grad
                if bias is not None:
                    bias -= schedule.learning_rate * bias_grad
        return np.array(losses)

    return run


def sequential(workload: Workload) -> Run:
    """Train with `nn.Sequential` and `optim.SGD`, in eager mode."""
    import torch
    from torch import nn

    _, params, inputs, targets, schedule = workload.problem()
    x, y = torch.tensor(inputs), torch.tensor(targets)

    def run() -> np.ndarray:
        modules: list[nn.Module] = []
        for weight, bias in params:
            fan_in, units = weight.shape
            linear = nn.Linear(fan_in, units, bias=bias is not None, dtype=x.dtype)
            with torch.no_grad():
                linear.weight.copy_(torch.tensor(weight.T))
                if bias is not None:
                    linear.bias.copy_(torch.tensor(bias))
            modules += [linear, nn.Sigmoid()]
        model, loss_of = nn.Sequential(*modules), nn.MSELoss()
        optimizer = torch.optim.SGD(model.parameters(), schedule.learning_rate)
        losses = []
        for _ in range(schedule.epochs):
            optimizer.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).numpy(force=True)

    return run


def jitted_step(workload: Workload) -> Run:
    """Train with a `jit`ted step in a Python loop."""
    import jax
    import jax.numpy as jnp

    _, params, inputs, targets, schedule = workload.problem()
    x, y = jnp.asarray(inputs), jnp.asarray(targets)

    def loss(params: Any) -> Any:
        a = x
        for weight, bias in params:
            a = jax.nn.sigmoid(a @ weight if bias is None else a @ weight + bias)
        return jnp.mean((a - y) ** 2)

    @jax.jit
    def step(params: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(params)
        moved = jax.tree.map(lambda w, g: w - schedule.learning_rate * g, params, grads)
        return moved, value

    def run() -> np.ndarray:
        now, losses = jax.tree.map(jnp.asarray, params), []
        for _ in range(schedule.epochs):
            now, value = step(now)
            losses.append(value)
        return np.array(jax.device_get(losses))

    return run


def regressor(workload: Workload) -> Run:
    """Train scikit-learn's `MLPRegressor`; not the same training: its output is linear, and every layer has biases."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    _, _, inputs, targets, schedule = workload.problem()
    model = MLPRegressor(
        hidden_layer_sizes=workload.widths[1:-1],
        activation="logistic",
        solver="sgd",
        alpha=0.0,
        batch_size=workload.samples,
        learning_rate_init=schedule.learning_rate,
        max_iter=schedule.epochs,
        shuffle=False,
        tol=0.0,
        momentum=0.0,
        nesterovs_momentum=False,
        n_iter_no_change=schedule.epochs,
        random_state=0,
    )
    y = targets[:, 0] if targets.shape[1] == 1 else targets

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(inputs, y)

    return run


def keras_fit(workload: Workload) -> Run:
    """Train with `model.fit` of Keras 3, on the backend that the environment's KERAS_BACKEND names."""
    import keras

    _, params, inputs, targets, schedule = workload.problem()
    model = keras.Sequential([keras.Input(inputs.shape[1:], dtype=workload.dtype)])
    for weight, bias in params:
        layer = keras.layers.Dense(
            weight.shape[1], "sigmoid", use_bias=bias is not None, dtype=workload.dtype
        )
        model.add(layer)
    start = [array for layer in params for array in layer if array is not None]

    def run() -> np.ndarray:
        model.set_weights(start)
        history = model.fit(
            inputs,
            targets,
            batch_size=workload.samples,
            epochs=schedule.epochs,
            shuffle=False,
            verbose=0,
        )
        return np.array(history.history["loss"])

    model.compile(optimizer=keras.optimizers.SGD(schedule.learning_rate), loss="mse")
    return run


PEERS: dict[str, tuple[str, Callable[[Workload], Run]]] = {
    "newcomer's NumPy": ("numpy", newcomer),
    "nn.Sequential, optim.SGD": ("torch", sequential),
    "jitted step, Python loop": ("jax", jitted_step),
    "scikit-learn, MLPRegressor, linear output": ("sklearn", regressor),
}
"""By name: the package that it needs, and the function that trains."""

KERAS = ("torch", "jax")
"""Backends of Keras. A process can have only one, so each is timed in its own process, with the lower limit."""


def there(package: str) -> bool:
    """Return True if the package is installed."""
    return importlib.util.find_spec(package) is not None
