"""The networks in NumPy: back-propagation by hand."""

from .ensemble import train_ensemble
from .gradients import forward, loss_and_grads
from .train import train

__all__ = ["forward", "loss_and_grads", "train", "train_ensemble"]
