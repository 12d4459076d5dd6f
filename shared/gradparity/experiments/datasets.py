"""The datasets, in float64: inputs `(samples, …)`, targets `(samples, outputs)` of zeros and ones.

`linear` and `xor` are points in the plane; `bars` and `digits` are images `(height, width, channels)`.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float64

from ..errors import InputError

Inputs = Float64[np.ndarray, "samples *shape"]
Targets = Float64[np.ndarray, "samples outputs"]


def linear(samples: int, seed: int) -> tuple[Inputs, Targets]:
    """Draw points uniformly from the unit square; the target is 0 where x1 > x2, else 1."""
    inputs = np.random.default_rng(seed).uniform(size=(samples, 2))
    targets = np.where(inputs[:, :1] > inputs[:, 1:], 0.0, 1.0)
    return inputs, targets


def xor() -> tuple[Inputs, Targets]:
    """Return 21 points on the unit square's diagonals: 0 on the rising one, 1 on the falling one without its middle."""
    steps = np.arange(11) * 0.1
    rising = np.column_stack([steps, steps])
    falling = np.delete(np.column_stack([steps, 1.0 - steps]), 5, axis=0)
    targets = np.repeat([[0.0], [1.0]], [len(rising), len(falling)], axis=0)
    return np.concatenate([rising, falling]), targets


def bars(size: int) -> tuple[Inputs, Targets]:
    """Return every image of whole columns (0) and every image of whole rows (1), without the empty and the full one.

    Inputs `(samples, size, size, 1)`.
    """
    patterns = (np.arange(1, 2**size - 1)[:, None] >> np.arange(size)) & 1
    columns = np.repeat(patterns[:, None, :], size, axis=1)
    inputs = np.concatenate([columns, columns.swapaxes(1, 2)])[..., None].astype(np.float64)
    return inputs, np.repeat([[0.0], [1.0]], len(patterns), axis=0)


DIGITS = 1797
"""The number of handwritten digits."""


Digits = tuple[Float64[np.ndarray, "_ 8 8 1"], Float64[np.ndarray, "_ 10"]]


def digits(samples: int, seed: int) -> tuple[Digits, Digits]:
    """Draw `samples` of scikit-learn's handwritten digits; return them and the rest (Alpaydin, Kaynak 1998).

    Inputs `(…, 8, 8, 1)` between 0 and 1; targets `(…, 10)`, one for the digit.

    Raises:
        InputError: scikit-learn, which contains the images, is not installed.
    """
    images, numbers = _images()
    order = np.random.default_rng(seed).permutation(DIGITS)
    inputs = (images / 16.0)[order, :, :, None]
    targets = np.eye(10)[numbers[order]]
    return (inputs[:samples], targets[:samples]), (inputs[samples:], targets[samples:])


@cache
def _images() -> tuple[np.ndarray, np.ndarray]:
    """Return the images, `(1797, 8, 8)` from 0 to 16, and the digit that each shows."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise InputError(
            "the dataset 'digits' needs scikit-learn: pip install 'gradparity[digits]'"
        ) from None
    found = load_digits()
    return found.images, found.target
