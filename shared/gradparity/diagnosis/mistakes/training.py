"""Mistakes of the training loop: wrong samples, wrong weights, a wrong number of updates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...contract import Schedule, map_params
from ...reference.layers import Array
from ...reference.passes import Pass, cast
from ...reference.updates import Update, apply_update
from ...verdict.case import Case
from .base import Mistake, OptimizerMistake, Predict, Program, StepMistake, once, plain


def _on(rows: Callable[[Case], Any]) -> Predict:
    """Compute the update on other rows than its batch."""

    def predict(program: Program) -> Pass | None:
        other = rows(program.case)
        return None if other is None else program.run(rows=other)

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


def _unchanged(_: Schedule, w: Array, g: Array, arrays: tuple[Array, ...], __: int) -> Update:
    return Update(g, np.zeros_like(g), w, arrays)


def _earlier(program: Program, offset: int) -> Pass | None:
    """Compute the gradient at the weights before the last update, on the previous batch (-1) or on this one (0)."""
    case = program.case
    if case.previous is None or (batch := _neighbouring(case, offset)) is None:
        return None
    return program.run(params=case.previous, rows=batch)


def _stale(offset: int) -> Predict:
    return lambda program: _earlier(program, offset)


def _summed(updates: int | None) -> Predict:
    """Add the gradients of so many earlier updates, or of all of the same call."""

    def predict(program: Program) -> Pass | None:
        case = program.case
        history = case.history[-updates:] if updates else case.history
        first = case.update - len(history)
        if not history or first < 0:
            return None
        found = program.run()
        grads = found.grads
        for update, params in enumerate(history, start=first):
            earlier = program.run(params=params, rows=case.schedule.batch(update))
            grads = map_params(np.add, grads, earlier.grads)
        return replace(found, grads=grads)

    return predict


def _sample_by_sample(program: Program) -> Pass | None:
    """Update after every sample, in the order of the batch; `scale` is the factor on each sample's gradient."""
    case, rows = program.case, program.rows
    if len(rows) < 2 or not plain(case.schedule):
        return None
    found = program.run()
    wide = found.loss.dtype.type
    rate, scale = wide(case.schedule.learning_rate), wide(program.scale)
    start = params = cast(case.params, wide)
    for row in rows:
        grads = map_params(lambda g: g * scale, program.run(params=params, rows=[row]).grads)
        params, _ = apply_update(case.schedule, params, grads, {}, case.update + 1)
    total = map_params(lambda old, new: (old - new) / (rate * scale), start, params)
    return replace(found, grads=total)


SAMPLE_BY_SAMPLE = StepMistake(
    "an update after every sample",
    "W ← W - lr ∂L_i/∂W for each sample i in turn",
    "W ← W - lr ∂L/∂W, once for the whole batch",
    _sample_by_sample,
    linear=False,
    roundings=lambda case: len(case.batch[0]),
)

_RIGHT_UPDATE = "W ← W - lr ∂L/∂W"

TRAINING: tuple[Mistake, ...] = (
    OptimizerMistake(
        "the update is skipped", "W ← W", _RIGHT_UPDATE, _unchanged, lambda _: True, once
    ),
    StepMistake(
        "the gradient is accumulated: it is not set to zero between updates",
        "W ← W - lr Σ ∂L/∂W over all updates so far",
        _RIGHT_UPDATE,
        _summed(None),
    ),
    StepMistake(
        "the gradient is accumulated over two updates",
        "W ← W - lr (∂L/∂W + ∂L/∂W of the update before)",
        _RIGHT_UPDATE,
        _summed(1),
    ),
    StepMistake(
        "the gradient is stale: that of the update before",
        "W ← W - lr ∂L/∂W at the weights and on the batch before",
        _RIGHT_UPDATE,
        _stale(-1),
    ),
    StepMistake(
        "the gradient is stale: this batch's, but at the weights before",
        "W ← W - lr ∂L/∂W at the weights before",
        _RIGHT_UPDATE,
        _stale(0),
    ),
    StepMistake(
        "all samples in place of the batch",
        "rows = all",
        "rows = order[batch]",
        _on(lambda _: slice(None)),
    ),
    StepMistake(
        "the batches are not shuffled",
        "rows = consecutive samples",
        "rows = order[epoch, batch]",
        _on(_unshuffled),
    ),
    StepMistake(
        "the first epoch's batches are used in every epoch",
        "rows = order[0, batch]",
        "rows = order[epoch, batch]",
        _on(_first_order),
    ),
    StepMistake(
        "the batch before in place of this one",
        "rows = order[batch - 1]",
        "rows = order[batch]",
        _on(lambda case: _neighbouring(case, -1)),
    ),
    StepMistake(
        "the batch after in place of this one",
        "rows = order[batch + 1]",
        "rows = order[batch]",
        _on(lambda case: _neighbouring(case, 1)),
    ),
    SAMPLE_BY_SAMPLE,
)
