"""Known mistakes, each as the equations that it amounts to: the vocabulary of the diagnosis.

A mistake is a prediction, not a heuristic: what a program with just this mistake would compute, in the
oracle's precision. `diagnosis` holds a wrong result against the predictions.
"""

from .base import Applies, Layers, Mistake, layers_where, plain, run, scopes
from .convolutions import CONVOLUTIONS, CONVOLVED
from .cross_entropies import CROSS_ENTROPIES
from .factors import FACTORS, UNIT, Factor
from .forward import FORWARD as OF_DENSE_LAYERS
from .forward import ForwardMistake
from .gradient import CROSS_ENTROPY
from .gradient import GRADIENT as OF_SIGMOIDS
from .losses import LOSSES, WrongLoss
from .optimizers import OPTIMIZERS
from .slopes import SLOPES
from .training import SAMPLE_BY_SAMPLE, TRAINING

FORWARD = (*OF_DENSE_LAYERS, *CONVOLVED)
GRADIENT = (*OF_SIGMOIDS, *SLOPES, *CROSS_ENTROPIES, *CONVOLUTIONS)
UPDATE = (*OPTIMIZERS, *TRAINING)

__all__ = [
    "CROSS_ENTROPY",
    "FACTORS",
    "FORWARD",
    "GRADIENT",
    "LOSSES",
    "SAMPLE_BY_SAMPLE",
    "TRAINING",
    "UNIT",
    "UPDATE",
    "Applies",
    "Factor",
    "ForwardMistake",
    "Layers",
    "Mistake",
    "WrongLoss",
    "layers_where",
    "plain",
    "run",
    "scopes",
]
