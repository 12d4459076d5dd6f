"""How others do the same training: what a newcomer writes, and what each framework's users usually do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .limit import Run
from .workloads import Workload


def newcomer(workload: Workload) -> Run:
    """NumPy as in a first course: a list of activations, a loss that is printed, an update for each weight."""
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
    """`nn.Sequential` and `optim.SGD`, in eager mode."""
    import torch
    from torch import nn

    _, params, inputs, targets, schedule = workload.problem()
    x, y = torch.from_numpy(inputs), torch.from_numpy(targets)

    def run() -> np.ndarray:
        modules: list[nn.Module] = []
        for weight, bias in params:
            fan_in, units = weight.shape
            linear = nn.Linear(fan_in, units, bias=bias is not None, dtype=x.dtype)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(weight.T))
                if bias is not None:
                    linear.bias.copy_(torch.from_numpy(bias))
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
        return torch.stack(losses).numpy()

    return run


def jitted_step(workload: Workload) -> Run:
    """A `jit`ted step in a Python loop."""
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


PEERS: dict[str, tuple[str, Callable[[Workload], Run]]] = {
    "newcomer's NumPy": ("numpy", newcomer),
    "nn.Sequential, optim.SGD": ("torch", sequential),
    "jitted step, Python loop": ("jax", jitted_step),
}
"""By name: the package that it needs, and what it does."""
