"""Gradients from complex-step differences, and the verdict on them."""

from __future__ import annotations

from typing import Any

import numpy as np

from gradparity.contract import Layer, Params
from gradparity.reference.passes import cast, evaluate
from gradparity.reference.step import StepValues
from gradparity.verdict.case import Case, oracle_dtype
from gradparity.verdict.judge import Verdict, judge

STEP = 1e-100


def complex_step(case: Case) -> Params:
    """∂loss/∂w = Im loss(w + ih) / h, one parameter at a time; no difference is taken, so nothing cancels."""
    wide = np.result_type(oracle_dtype(), np.complex128)
    inputs, targets = (array.astype(wide) for array in case.batch)
    params = cast(case.params, wide)
    grads = []
    for layer in params:
        found: list[Any] = []
        for tensor in layer:
            if tensor is None:
                found.append(None)
                continue
            grad = np.zeros(tensor.shape, oracle_dtype())
            for index in np.ndindex(tensor.shape):
                tensor[index] += 1j * STEP
                grad[index] = evaluate(case.network, params, inputs, targets).loss.imag / STEP
                tensor[index] -= 1j * STEP
            found.append(grad)
        grads.append(Layer(*found))
    return tuple(grads)


def verdicts(case: Case, grads: Params) -> set[Verdict]:
    """Of these gradients against the reference's, within what float64 may be off by."""
    expected, bound = case.expect()
    step = StepValues(expected.activations, expected.loss, grads, expected.loss, expected.updated)
    found = judge(case.params, step, expected, bound, slack=1.0)
    return {finding.verdict for finding in found if finding.phase == "gradient"}
