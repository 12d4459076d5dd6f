"""The activations: torch's own, whose derivatives autograd knows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from gradparity.contract import LEAK

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "identity": nn.Identity(),
    "relu": functional.relu,
    "tanh": torch.tanh,
    "leaky_relu": partial(functional.leaky_relu, negative_slope=LEAK),
}
