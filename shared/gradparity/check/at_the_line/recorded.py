"""Record a run of the program on a case."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ...border import CtrlC, private
from ...contract import Layer, Params, map_params
from ...tracing.numpy_recorder import NumpyRecorder
from ...tracing.recording import INPUT, PARAMETER, Recording
from ...verdict.case import Case
from ..answer import asked_of
from ..reading import flat
from ..target import Target

TARGETS = "targets"
LOSS = "None loss"
"""The names of the targets among the leaves, and of the loss among the outputs: its finding has no layer."""

_JUDGE = str(Path(__file__).parents[1])


def names(params: Params) -> list[str]:
    """Return the names of the weights and biases, by layer, as the outputs have them."""
    return [
        f"{layer} {tensor}"
        for layer, one in enumerate(params)
        for tensor, value in zip(Layer._fields, one, strict=True)
        if value is not None
    ]


def record(target: Target, case: Case, own: Iterable[str] = ()) -> Recording | None:
    """Record what the program makes of a case: the gradient and the loss, or the weights after an update.

    Args:
        target: the program.
        case: the case.
        own: files whose lines are never the program's.

    Returns:
        The recording; its outputs have `names`. None if the program raises, or shows neither.
    """

    def outputs(given: tuple[Any, ...]) -> dict[str, Any] | None:
        told: dict[str, Any] = {}
        if "loss_and_grads" in target.functions:
            loss, results = target.functions["loss_and_grads"](*given)
            told = {} if loss is None else {LOSS: loss}
        elif "step" in target.functions:
            rate = case.schedule.learning_rate
            results = target.functions["step"](*given, learning_rate=rate)
            results = given[1] if results is None else results
        else:
            return None
        named = names(case.params)
        return dict(zip(named, flat(results), strict=True)) | told

    return _recorded(target, case, own, outputs)


def record_loss(target: Target, case: Case) -> Recording | None:
    """Record the loss that the program tells of a case; None if it raises, or tells none."""

    def outputs(given: tuple[Any, ...]) -> dict[str, Any] | None:
        loss = None
        if "loss_and_grads" in target.functions:
            loss = target.functions["loss_and_grads"](*given)[0]
        if loss is None and "loss" in target.functions:
            loss = target.functions["loss"](*given)
        return None if loss is None else {LOSS: loss}

    return _recorded(target, case, (), outputs)


def _recorded(
    target: Target,
    case: Case,
    own: Iterable[str],
    outputs: Callable[[tuple[Any, ...]], dict[str, Any] | None],
) -> Recording | None:
    recorder, case = NumpyRecorder(own=(_JUDGE, *own)), asked_of(target, case)
    inputs, targets = private(case.batch)
    given = (
        case.network,
        map_params(lambda array: recorder.given(PARAMETER, "", array), case.params),
        recorder.given(INPUT, "inputs", inputs),
        recorder.given(INPUT, TARGETS, targets),
    )
    try:
        with recorder:
            found = outputs(given)
        return None if found is None else recorder.finished(found)
    except CtrlC:
        raise
    except (
        BaseException
    ):  # a program that the recorder's arrays are too much for, or one that exits
        return None
