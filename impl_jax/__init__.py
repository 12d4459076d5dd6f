"""The sigmoid MLP in JAX: pure functions, `grad` and `jit`."""

import jax

# JAX turns float64 into float32 unless told otherwise; here each experiment states its dtype.
jax.config.update("jax_enable_x64", True)

from .gradients import loss_and_grads  # noqa: E402 - the switch comes before the first array
from .model import forward  # noqa: E402
from .train import train  # noqa: E402

__all__ = ["forward", "loss_and_grads", "train"]
