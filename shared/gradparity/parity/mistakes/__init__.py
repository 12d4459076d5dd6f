"""Known mistakes, each as the equations that it amounts to: the vocabulary of the diagnosis.

A mistake is a prediction, not a heuristic: what a program with just this mistake would compute, in the
oracle's precision. `diagnosis` holds a wrong result against the predictions.
"""

from .base import Layers, Mistake, run, scopes
from .factors import FACTORS, UNIT, Factor
from .forward import FORWARD, ForwardMistake
from .gradient import CROSS_ENTROPY, GRADIENT
from .losses import LOSSES, WrongLoss
from .training import SAMPLE_BY_SAMPLE, TRAINING

__all__ = [
    "CROSS_ENTROPY",
    "FACTORS",
    "FORWARD",
    "GRADIENT",
    "LOSSES",
    "SAMPLE_BY_SAMPLE",
    "TRAINING",
    "UNIT",
    "Factor",
    "ForwardMistake",
    "Layers",
    "Mistake",
    "WrongLoss",
    "run",
    "scopes",
]
