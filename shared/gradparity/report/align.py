"""Align similar sequences, such as the lines of one function in three frameworks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def align(
    columns: Sequence[Sequence[T]], likeness: Callable[[T, T], float]
) -> list[list[T | None]]:
    """Return rows with an entry of each column, or None; every column keeps its order.

    Columns are added one after the other, each so that the sum of its likenesses to the rows so far is greatest
    (Needleman and Wunsch, 1970). `likeness` is 0 for entries that must not share a row.
    """
    rows: list[list[T | None]] = [[entry] for entry in columns[0]]
    for number, column in enumerate(columns[1:], start=1):
        alone: list[T | None] = [None] * number
        joined: list[list[T | None]] = []
        at = 0
        for row, partner in zip(rows, _partners(_table(rows, column, likeness)), strict=True):
            if partner is None:
                joined.append([*row, None])
            else:
                joined += ([*alone, entry] for entry in column[at:partner])
                joined.append([*row, column[partner]])
                at = partner + 1
        rows = joined + [[*alone, entry] for entry in column[at:]]
    return rows


def _table(
    rows: Sequence[Sequence[T | None]], column: Sequence[T], likeness: Callable[[T, T], float]
) -> np.ndarray:
    best = [
        [max(likeness(one, entry) for one in row if one is not None) for entry in column]
        for row in rows
    ]
    return np.array(best).reshape(len(rows), len(column))


def _partners(alike: np.ndarray) -> list[int | None]:
    """Return for each row its column, increasing, or None, so that the sum is greatest."""
    best = np.zeros((alike.shape[0] + 1, alike.shape[1] + 1))
    for i, j in np.ndindex(alike.shape):
        paired = best[i, j] + alike[i, j] if alike[i, j] > 0 else 0.0
        best[i + 1, j + 1] = max(paired, best[i, j + 1], best[i + 1, j])
    partners: list[int | None] = [None] * len(alike)
    i, j = alike.shape
    while i and j:
        if best[i, j] == best[i - 1, j]:
            i -= 1
        elif best[i, j] == best[i, j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            partners[i] = j
    return partners
