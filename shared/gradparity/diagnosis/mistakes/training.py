"""Mistakes of the training loop: which samples, which weights, how many updates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ...contract import Schedule, map_params
from ...reference.layers import Array
from ...reference.passes import Equations, Pass, cast
from ...reference.updates import Update, apply_update
from ...verdict.case import Case, oracle_dtype
from .base import Layers, Mistake, Predict, plain, run


def _on(rows: Callable[[Case], Any]) -> Predict:
    """The update is computed on other rows than its batch."""

    def predict(case: Case, equations: Equations, _: Layers, __: float) -> Pass | None:
        other = rows(case)
        return None if other is None else run(case, equations, rows=other)

    return predict


def _unshuffled(case: Case) -> slice | None:
    size = case.schedule.batch_size
    if size is None:
        return None
    start = case.update % case.schedule.updates_per_epoch * size
    return slice(start, start + size)


def _neighbouring(case: Case, offset: int) -> Any:
    update = case.update + offset
    return case.schedule.batch(update) if 0 <= update < case.schedule.updates else None


def _first_order(case: Case) -> Any:
    return case.schedule.batch(case.update % case.schedule.updates_per_epoch)


def _skipped(case: Case, equations: Equations, _: Layers, __: float) -> Pass | None:
    found = run(case, equations)
    return replace(found, grads=map_params(np.zeros_like, found.grads))


def _unchanged(_: Schedule, w: Array, g: Array, arrays: tuple[Array, ...], __: int) -> Update:
    return Update(g, np.zeros_like(g), w, arrays)


def _earlier(case: Case, equations: Equations, *, rows: int) -> Pass | None:
    """The gradient at the weights before the last update, on the batch before (-1) or on this one (0)."""
    if case.previous is None or (batch := _neighbouring(case, rows)) is None:
        return None
    return run(case, equations, case.previous, batch)


def _stale(rows: int) -> Predict:
    return lambda case, equations, _, __: _earlier(case, equations, rows=rows)


def _accumulated(case: Case, equations: Equations, _: Layers, __: float) -> Pass | None:
    before = _earlier(case, equations, rows=-1)
    if before is None:
        return None
    found = run(case, equations)
    return replace(found, grads=map_params(np.add, found.grads, before.grads))


def _sample_by_sample(case: Case, equations: Equations, _: Layers, scale: float) -> Pass | None:
    """An update after every sample, in the order of the batch; `scale` is the factor on each sample's gradient."""
    rows = np.arange(len(case.inputs))[case.schedule.batch(case.update)]
    if len(rows) < 2 or not plain(case.schedule):
        return None
    wide = oracle_dtype()
    rate = wide(case.schedule.learning_rate)
    start = params = cast(case.params, wide)
    for row in rows:
        grads = run(case, equations, params, [row]).grads
        grads = map_params(lambda g: g * wide(scale), grads)
        params, _arrays = apply_update(case.schedule, params, grads, {}, case.update + 1)
    return replace(
        run(case, equations),
        grads=map_params(lambda old, new: (old - new) / (rate * wide(scale)), start, params),
    )


SAMPLE_BY_SAMPLE = Mistake(
    "an update after every sample",
    "W ← W - lr ∂L_i/∂W for each sample i in turn",
    "W ← W - lr ∂L/∂W, once for the whole batch",
    _sample_by_sample,
    by_layer=False,
    linear=False,
    roundings=lambda case: len(case.batch[0]),
)

_RIGHT_UPDATE = "W ← W - lr ∂L/∂W"
_training = partial(Mistake, by_layer=False)

TRAINING: tuple[Mistake, ...] = (
    _training("the update is skipped", "W ← W", _RIGHT_UPDATE, _skipped, step=_unchanged),
    _training(
        "the gradient is accumulated: it is not set to zero between updates",
        "W ← W - lr (∂L/∂W + ∂L/∂W of the update before)",
        _RIGHT_UPDATE,
        _accumulated,
    ),
    _training(
        "the gradient is stale: that of the update before",
        "W ← W - lr ∂L/∂W at the weights and on the batch before",
        _RIGHT_UPDATE,
        _stale(-1),
    ),
    _training(
        "the gradient is stale: this batch's, but at the weights before",
        "W ← W - lr ∂L/∂W at the weights before",
        _RIGHT_UPDATE,
        _stale(0),
    ),
    _training(
        "all samples in place of the batch",
        "rows = all",
        "rows = order[batch]",
        _on(lambda _: slice(None)),
    ),
    _training(
        "the batches are not shuffled",
        "rows = consecutive samples",
        "rows = order[epoch, batch]",
        _on(_unshuffled),
    ),
    _training(
        "the first epoch's batches are used in every epoch",
        "rows = order[0, batch]",
        "rows = order[epoch, batch]",
        _on(_first_order),
    ),
    _training(
        "the batch before in place of this one",
        "rows = order[batch - 1]",
        "rows = order[batch]",
        _on(lambda case: _neighbouring(case, -1)),
    ),
    _training(
        "the batch after in place of this one",
        "rows = order[batch + 1]",
        "rows = order[batch]",
        _on(lambda case: _neighbouring(case, 1)),
    ),
    SAMPLE_BY_SAMPLE,
)
