"""Recordings of training runs, compared by their bits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...contract import Trajectory


@dataclass(frozen=True, eq=False)
class Recording:
    """Losses and weights along a run.

    Attributes:
        losses: the loss before each update, `(updates,)`.
        points: the update counts at which weights were kept, `(points,)`.
        tensors: by layer and name, such as `"0.weight"`: the values at each point, `(points, …)`.
    """

    losses: np.ndarray
    points: np.ndarray
    tensors: dict[str, np.ndarray]

    @classmethod
    def of(cls, run: Trajectory) -> Recording:
        """Return the recording of a run that kept weights."""
        tensors = {
            f"{at}.{name}": np.stack([getattr(kept.params[at], name) for kept in run.kept.values()])
            for at, layer in enumerate(run.final.params)
            for name in ("weight", "bias")
            if getattr(layer, name) is not None
        }
        return cls(run.losses, np.array(list(run.kept)), tensors)

    def save(self, path: Path) -> None:
        """Write the recording as npz."""
        np.savez(path, losses=self.losses, points=self.points, allow_pickle=False, **self.tensors)

    @classmethod
    def load(cls, path: Path) -> Recording:
        """Read a recording that `save` wrote."""
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        return cls(arrays.pop("losses"), arrays.pop("points"), arrays)

    def digests(self) -> dict[str, Any]:
        """Return the SHA-256 of the losses, and of all weights together at each point."""
        return {
            "losses": _sha256([self.losses]),
            "weights": {
                str(point): _sha256([tensor[at] for tensor in self.tensors.values()])
                for at, point in enumerate(self.points)
            },
        }


def first_difference(a: Recording, b: Recording) -> dict[str, Any] | None:
    """Return the first update count at which a bit of a weight or a loss differs, and the first entry there.

    The loss at an update count is that of the weights at that count. None if all bits are the same.
    """
    if not np.array_equal(a.points, b.points) or len(a.losses) != len(b.losses):
        raise ValueError("recordings of different runs")
    return min(_differences(a, b), key=lambda found: found["update"], default=None)


def _differences(a: Recording, b: Recording) -> Iterator[dict[str, Any]]:
    """Yield the first difference of each tensor, and of the losses."""
    pairs = [(name, a.points, tensor, b.tensors[name]) for name, tensor in a.tensors.items()]
    pairs += [("loss", np.arange(len(a.losses)), a.losses, b.losses)]
    for name, points, ours, theirs in pairs:
        differing = _bits(ours) != _bits(theirs)
        if differing.any():
            at, *index = (int(n) for n in np.argwhere(differing)[0])
            values = [float(array[(at, *index)]).hex() for array in (ours, theirs)]
            yield {"update": int(points[at]), "tensor": name, "index": index, "values": values}


def distance(a: Recording, b: Recording) -> float:
    """Return ‖w_a - w_b‖ / ‖w_b‖ over all weights after the last update."""
    ours, theirs = (
        np.concatenate([tensor[-1].ravel() for tensor in one.tensors.values()], dtype=np.float64)
        for one in (a, b)
    )
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def _bits(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array).view(f"u{array.itemsize}")


def _sha256(arrays: Sequence[np.ndarray]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
