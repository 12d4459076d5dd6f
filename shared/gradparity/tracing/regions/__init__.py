"""Judge what lies between the arrays that two recordings have in common.

A region is what lies between an array that both have and the nearest such arrays above it. Both sides' operations are
evaluated from the same inputs, the first recording's, with their rounding bounds: if both compute the same, the results
are no further apart than the sum of the two bounds. Regions are small, and errors do not go from one to the next.

Where they are, and what they make (`judge`); where the second recording goes another way (`search`); which differences
only follow from others (`derivative`); and which results are reached (`outputs`).
"""

from .comparison import compare
from .recorded import own, replayed
from .results import Comparison, Distance, Output, Own, Region, Verdict, judged, worst

__all__ = [
    "Comparison",
    "Distance",
    "Output",
    "Own",
    "Region",
    "Verdict",
    "compare",
    "judged",
    "own",
    "replayed",
    "worst",
]
