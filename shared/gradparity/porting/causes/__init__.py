"""Why two regions differ: what is changed in one of them so that they agree.

Each module of this room knows one kind of cause. A cause is named only if, changed in one side's region and evaluated
again from the same inputs, the two regions agree within the bound on rounding.
"""

from ...tracing.regions import Comparison, Region
from . import arguments, masks, moments, numbers, operands, orders, relations, sequence, variants
from .bench import Bench, ExhaustedError, Found

__all__ = ["Found", "find"]

_SEARCHES = (
    arguments.same_operation,
    numbers.plain,
    variants.find,
    masks.find,
    arguments.find,
    orders.find,
    orders.pairs,
    orders.parts,
    moments.find,
    numbers.left_out,
    relations.find,
    sequence.find,
    operands.find,
    numbers.of_sizes,
)
"""From what stands in the text to what is fitted."""


def find(comparison: Comparison, region: Region) -> Found | None:
    """Return why a region disagrees; None if no cause that is known makes it agree.

    Args:
        comparison: of the original's recording and of the port's.
        region: one of its regions that disagrees.
    """
    bench = Bench(comparison, region)
    if not bench.has_rules():
        return None
    for search in _SEARCHES:
        bench.allow()
        try:
            found = search(bench)
        except ExhaustedError:
            continue
        if found is not None:
            return found
    return None
