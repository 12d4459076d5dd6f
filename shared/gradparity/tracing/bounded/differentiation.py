"""Reverse mode: from the cotangent of an output to those of what it was computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .number import Bounded, exact, quiet


@quiet
def cotangents(output: Bounded, seed: Bounded, wanted: Sequence[Bounded]) -> list[Bounded]:
    """Compute the cotangent of each wanted array, from that of the output.

    What the output does not depend on has cotangent 0. Several outputs are one: `join` them, and their seeds.
    """
    reached, left = {output.order: output}, [output]
    while left:
        for parent, _ in left.pop().parents:
            if parent.floating and parent.order not in reached:
                reached[parent.order] = parent
                left.append(parent)
    found = {output.order: seed}
    for order in sorted(reached, reverse=True):
        for parent, pulled_back in reached[order].parents:
            if parent.order not in reached:
                continue
            g = pulled_back(found[order])
            g = found[parent.order] + g if parent.order in found else g
            found[parent.order] = replace(g, parents=())
    return [found.get(x.order, exact(np.zeros(x.shape), x.precision)) for x in wanted]
