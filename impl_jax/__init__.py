"""The networks in JAX: pure functions, `grad` and `jit`."""

import jax

from .ensemble import train_ensemble
from .gradients import forward, loss_and_grads
from .train import train

__all__ = ["forward", "loss_and_grads", "train", "train_ensemble"]

# By default JAX converts float64 to float32; here each experiment states its dtype.
jax.config.update("jax_enable_x64", True)
