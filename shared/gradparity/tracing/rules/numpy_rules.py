"""What NumPy's functions compute; a rule has the function's own signature."""

from __future__ import annotations

from . import numpy_movement, numpy_pointwise, numpy_products, numpy_reductions
from .numpy_arguments import Rule

RULES: dict[str, Rule] = {
    **numpy_pointwise.RULES,
    **numpy_reductions.RULES,
    **numpy_products.RULES,
    **numpy_movement.RULES,
}
