"""The known mistakes, each given by its equations. The diagnosis names mistakes from this list.

A mistake is a prediction, not a heuristic: it computes, in the oracle's precision, the numbers of a program with
exactly this mistake. `diagnosis` checks a wrong result against the predictions.
"""

from .adaptive import ADAPTIVE
from .base import (
    Applies,
    LayerMistake,
    Layers,
    Mistake,
    OptimizerMistake,
    Program,
    StepMistake,
    layers_where,
    plain,
    scopes,
)
from .convolutions import CONVOLUTIONS, CONVOLVED
from .cross_entropies import CROSS_ENTROPIES, OF_PROBABILITIES
from .factors import FACTORS, UNIT, Factor
from .forward import FORWARD as OF_DENSE_LAYERS
from .forward import ForwardMistake
from .gradient import CROSS_ENTROPY
from .gradient import GRADIENT as OF_SIGMOIDS
from .losses import REPORTED_LOSSES, ReportedLoss
from .momentum import MOMENTUM
from .parts import PARTS
from .slopes import SLOPES
from .softmaxes import SOFTMAXES, SOFTMAXES_FORWARD
from .training import SAMPLE_BY_SAMPLE, TRAINING
from .weight_decay import WEIGHT_DECAY

FORWARD = (*OF_DENSE_LAYERS, *SOFTMAXES_FORWARD, *CONVOLVED)
# The first say in the words of their loss what is also a mistake in the slope of its output.
GRADIENT = (
    *OF_PROBABILITIES,
    *OF_SIGMOIDS,
    *PARTS,
    *SLOPES,
    *SOFTMAXES,
    *CROSS_ENTROPIES,
    *CONVOLUTIONS,
)
UPDATE = (*MOMENTUM, *ADAPTIVE, *WEIGHT_DECAY, *TRAINING)

__all__ = [
    "CROSS_ENTROPY",
    "FACTORS",
    "FORWARD",
    "GRADIENT",
    "REPORTED_LOSSES",
    "SAMPLE_BY_SAMPLE",
    "TRAINING",
    "UNIT",
    "UPDATE",
    "Applies",
    "Factor",
    "ForwardMistake",
    "LayerMistake",
    "Layers",
    "Mistake",
    "OptimizerMistake",
    "Program",
    "ReportedLoss",
    "StepMistake",
    "layers_where",
    "plain",
    "scopes",
]
