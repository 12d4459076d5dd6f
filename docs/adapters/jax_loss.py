"""A JAX loss function: `gradparity check jax_loss.py:loss` needs no adapter."""

import jax
import jax.numpy as jnp


@jax.jit
def loss(params, inputs, targets):
    a = inputs
    for weight, bias in params:
        z = a @ weight if bias is None else a @ weight + bias
        a = jax.nn.sigmoid(z)
    return jnp.mean((a - targets) ** 2)
