"""Planted faults: mistakes written into the source of a correct implementation, as a programmer would make them.

They share no code with `mistakes`, which names them. Each changes one or two lines of the NumPy implementation.
`FAULTS` are those of sigmoid networks with the MSE and plain SGD, planted on the core suite and on random networks;
`EXTENDED` are those of everything else, planted on the extended suite and on random networks.
"""

from .activations import ACTIVATIONS
from .base import Fault, Patch
from .convolutions import CONVOLUTIONS
from .losses import LOSSES
from .mlp import BY_LAYER, FACTORS, FORWARD, REDUCED, STRUCTURES, WHOLE, pairs
from .optimizers import ADAPTIVE, DECAY, MOMENTUM
from .training import TRAINING

FAULTS = (*FACTORS, *STRUCTURES, *FORWARD, *REDUCED, *TRAINING)
GROUPS = {
    "activations": ACTIVATIONS,
    "losses": LOSSES,
    "momentum": MOMENTUM,
    "adaptive optimizers": ADAPTIVE,
    "weight decay": DECAY,
    "convolutions": CONVOLUTIONS,
}
EXTENDED = tuple(fault for group in GROUPS.values() for fault in group)

__all__ = [
    "BY_LAYER",
    "EXTENDED",
    "FACTORS",
    "FAULTS",
    "FORWARD",
    "GROUPS",
    "REDUCED",
    "STRUCTURES",
    "TRAINING",
    "WHOLE",
    "Fault",
    "Patch",
    "pairs",
]
