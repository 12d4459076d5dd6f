"""The networks in PyTorch: `nn.Module` and autograd."""

from .ensemble import train_ensemble
from .gradients import forward, loss_and_grads
from .train import train

__all__ = ["forward", "loss_and_grads", "train", "train_ensemble"]
