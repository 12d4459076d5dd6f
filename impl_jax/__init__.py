"""The networks in JAX: pure functions, `grad` and `jit`."""

from .ensemble import train_ensemble
from .gradients import loss_and_grads
from .model import forward
from .train import train

__all__ = ["forward", "loss_and_grads", "train", "train_ensemble"]
