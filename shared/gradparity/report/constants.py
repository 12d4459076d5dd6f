"""The constants of the judgement, for the report's texts."""

from __future__ import annotations

from types import MappingProxyType

from ..experiments.accuracy import CLOSE, THRESHOLD
from ..reference.bound import SAFETY
from ..reference.bound_functions import SIGMOID_ULP
from ..verdict.compare_runs import PARTED
from ..verdict.free_run import CHAOTIC, MARGIN, MEMBERS, WINDOW
from ..verdict.judge import RESOLUTION

CONSTANTS = MappingProxyType(
    {
        "close": CLOSE,
        "threshold": THRESHOLD,
        "safety": SAFETY,
        "sigmoid_ulp": SIGMOID_ULP,
        "resolution": RESOLUTION,
        "members": MEMBERS,
        "margin": MARGIN,
        "window": WINDOW,
        "chaotic": CHAOTIC,
        "parted": PARTED,
    }
)

_WORDS = {
    2: "two",
    3: "three",
    4: "four",
    5: "five",
    6: "six",
    7: "seven",
    8: "eight",
    9: "nine",
    10: "ten",
    0.1: "a tenth",
    0.01: "a hundredth",
    0.001: "a thousandth",
}


def spelled(value: float) -> str:
    """Return a number as a word where there is one, such as "eight" or "a hundredth", else in digits."""
    return _WORDS.get(value, f"{value:g}")
