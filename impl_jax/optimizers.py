"""The optimizers of `optax`, and the conversion of their state to the contract's."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from gradparity.contract import SGD, Adagrad, Adam, Optimizer, Params, RMSProp, Schedule, State

NAMES = {
    "velocity": "trace",
    "square_sum": "sum_of_squares",
    "square_average": "nu",
    "first_moment": "mu",
    "second_moment": "nu",
}
"""The names of the state's arrays in optax."""


class Rule(NamedTuple):
    """The part of a schedule for which a step is compiled: each rule is compiled separately."""

    optimizer: Optimizer
    weight_decay: float
    decoupled: bool

    @classmethod
    def of(cls, schedule: Schedule) -> Rule:
        """Return the schedule's rule."""
        return cls(schedule.optimizer, schedule.weight_decay, schedule.decoupled)


def make_optimizer(rule: Rule, learning_rate: Array | float) -> optax.GradientTransformation:
    """Make the optimizer that follows the schedule's convention: a chain of transformations."""
    decay = optax.add_decayed_weights(rule.weight_decay) if rule.weight_decay else optax.identity()
    scale: optax.GradientTransformation
    match rule.optimizer:
        case SGD(momentum=0.0):
            scale = optax.identity()
        case SGD(momentum, nesterov):
            scale = optax.trace(momentum, nesterov=nesterov)
        case Adagrad(epsilon):
            scale = _scale_by_rss(epsilon)
        case RMSProp(decay_rate, epsilon):
            scale = optax.scale_by_rms(decay_rate, epsilon, eps_in_sqrt=False)
        case Adam(beta1, beta2, epsilon):
            scale = optax.scale_by_adam(beta1, beta2, epsilon)
    links = (scale, decay) if rule.decoupled else (decay, scale)
    return optax.chain(*links, optax.scale_by_learning_rate(learning_rate))


def _scale_by_rss(epsilon: float) -> optax.GradientTransformation:
    """Scale g to g / (√s + epsilon), where s is the sum of the squares of all gradients so far."""
    # optax.scale_by_rss has epsilon inside the root, and its sum starts at 0.1.

    def init(params: Any) -> Any:
        return optax.ScaleByRssState(sum_of_squares=optax.tree.zeros_like(params))

    def update(grads: Any, state: Any, params: Any = None) -> Any:
        sums = jax.tree.map(lambda s, g: s + g**2, state.sum_of_squares, grads)
        scaled = jax.tree.map(lambda g, s: g / (jnp.sqrt(s) + epsilon), grads, sums)
        return scaled, optax.ScaleByRssState(sum_of_squares=sums)

    return optax.GradientTransformation(init, update)


def load_state(rule: Rule, params: Params, state: State | None) -> Any:
    """Convert the state to optax's. Arrays that it lacks are zero; without a state all are zero."""
    found = make_optimizer(rule, 1.0).init(params)
    if state is None:
        return found
    given: dict[str, Any] = {NAMES[name]: array for name, array in state.arrays.items()}
    if isinstance(rule.optimizer, Adam):
        given["count"] = jnp.asarray(state.updates, jnp.int32)
    return optax.tree.set(found, None, **given)


def read_state(rule: Rule, found: Any, updates: int) -> State:
    """Convert optax's state `found` at this update count to the contract's."""

    def array(name: str) -> Params:
        params: Params = jax.tree.map(np.asarray, optax.tree.get(found, NAMES[name]))
        return params

    return State(updates, {name: array(name) for name in rule.optimizer.arrays})
