"""The optimizers: `optax`, and its state in the contract's terms."""

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
"""The names that optax gives to the state's arrays."""


class Rule(NamedTuple):
    """The part of a schedule that a compiled step is made for: another rule is compiled anew."""

    optimizer: Optimizer
    weight_decay: float
    decoupled: bool

    @classmethod
    def of(cls, schedule: Schedule) -> Rule:
        """The schedule's rule."""
        return cls(schedule.optimizer, schedule.weight_decay, schedule.decoupled)


def make_optimizer(rule: Rule, learning_rate: Array | float) -> optax.GradientTransformation:
    """The optimizer that follows the schedule's convention: a chain of transformations."""
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
    """Scale g to g / (√s + epsilon), s the sum of the squares of all gradients."""
    # optax.scale_by_rss has epsilon inside the root, and its sum starts at 0.1.

    def init(params: Any) -> Any:
        return optax.ScaleByRssState(sum_of_squares=optax.tree.zeros_like(params))

    def update(grads: Any, state: Any, params: Any = None) -> Any:
        sums = jax.tree.map(lambda s, g: s + g**2, state.sum_of_squares, grads)
        scaled = jax.tree.map(lambda g, s: g / (jnp.sqrt(s) + epsilon), grads, sums)
        return scaled, optax.ScaleByRssState(sum_of_squares=sums)

    return optax.GradientTransformation(init, update)


def load_state(rule: Rule, params: Params, state: State | None) -> Any:
    """The state in optax's terms; arrays that it does not have are zero, and so are all without a state."""
    found = make_optimizer(rule, 1.0).init(params)
    if state is None:
        return found
    given: dict[str, Any] = {NAMES[name]: array for name, array in state.arrays.items()}
    if isinstance(rule.optimizer, Adam):
        given["count"] = jnp.asarray(state.updates, jnp.int32)
    return optax.tree.set(found, None, **given)


def read_state(rule: Rule, found: Any, updates: int) -> State:
    """The optimizer's state, in the contract's terms, at this update count; `found` is optax's."""

    def array(name: str) -> Params:
        params: Params = jax.tree.map(np.asarray, optax.tree.get(found, NAMES[name]))
        return params

    return State(updates, {name: array(name) for name in rule.optimizer.arrays})
