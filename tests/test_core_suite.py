"""The vetted suite can tell: every tensor is resolved, and no two mistakes of the catalogue look alike in it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from gradparity.contract import tensors
from gradparity.diagnosis.mistakes import (
    CROSS_ENTROPY,
    GRADIENT,
    LayerMistake,
    Layers,
    Mistake,
    Program,
    scopes,
)
from gradparity.reference.passes import RIGHT
from gradparity.reference.step import StepValues
from gradparity.suites.core import CORE_SUITE, core_suite
from gradparity.verdict.case import Case
from gradparity.verdict.judge import Verdict
from gradparity.verdict.observation import Observation

CASES = list(core_suite("float64"))


def test_shapes_tell_factors_and_axes_apart() -> None:
    for configuration in CORE_SUITE:
        samples, outputs = configuration.samples, configuration.widths[-1]
        batch = configuration.batch_size or samples
        assert len({batch, batch / 2, 2, 1, outputs} - {1}) >= 4 - (outputs in (1, 2))
        assert configuration.batch_size is None or samples % batch
    assert {c.widths[-1] for c in CORE_SUITE} >= {1, 2, 3, 4}
    assert {len(c.widths) - 1 for c in CORE_SUITE} == {1, 2, 3, 4}
    assert {b for c in CORE_SUITE for b in c.biases} == {True, False}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_tensor_is_resolved(dtype: str) -> None:
    for where, case in core_suite(dtype):
        expected, bound = case.expect()
        result = StepValues(
            expected.activations, expected.loss, expected.grads, expected.loss, expected.updated
        )
        verdicts = {f.verdict for f in Observation(case, result).findings}
        assert verdicts == {Verdict.AGREE}, where
        for exact, e in zip(tensors(expected.grads or ()), tensors(bound.grads or ()), strict=True):
            size = np.linalg.norm(exact.astype(float))
            assert np.linalg.norm(e) < (1e-11 if dtype == "float64" else 1e-3) * size, where
        for activation in expected.activations or ():
            assert activation is not None
            assert np.min(activation) > 0.01, where
            assert np.max(activation) < 0.99, where


def predictions() -> Iterator[tuple[str, list[np.ndarray]]]:
    """What each mistake in each place would give on the whole suite, where it changes anything."""
    right = [g for _, case in CASES for g in _grads(case, None, frozenset())]
    for mistake in GRADIENT:
        seen: list[list[np.ndarray]] = []
        for where, layers in (
            scopes(4) if isinstance(mistake, LayerMistake) else [("", lambda _: frozenset())]
        ):
            found = [
                g
                for _, case in CASES
                for g in _grads(case, mistake, layers(len(case.network.layers)))
            ]
            if not _alike(found, right) and not any(_alike(found, other) for other in seen):
                seen.append(found)
                yield f"{mistake.name} {where}", found


def _grads(case: Case, mistake: Mistake | None, layers: Layers) -> list[np.ndarray]:
    found = None if mistake is None else mistake.predict(Program(case, RIGHT, layers))
    return tensors((found or case.evaluate_exactly()).grads)


def _alike(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(
        np.linalg.norm((a - b).astype(float)) <= 1e-9 * np.linalg.norm(b.astype(float))
        for a, b in zip(one, other, strict=True)
    )


def test_mistakes_do_not_look_alike() -> None:
    """But where what is wrong in what a layer passes down is wrong in all that the layers below it get."""
    found = list(predictions())
    assert len(found) > 200
    alike = {
        (a, b)
        for at, (a, one) in enumerate(found)
        for b, other in found[at + 1 :]
        if _alike(one, other)
    }
    detached = "the layer is detached: no gradient reaches the layers below"
    frozen = "the layer is frozen: its gradient is zero"
    factors = (
        "summed over the samples: the 1/N is missing",
        "averaged over the samples once more",
        "halved",
        "doubled",
    )
    sign = "σ' has the wrong sign", "the layer's gradient is of the wrong sign"
    above, below = "in the output layer", "in every hidden layer"
    assert alike == {
        (f"{detached} {above}", f"{frozen} {below}"),
        *(
            (f"the layer's gradient is {times} {below}", f"what is passed down is {times} {above}")
            for times in factors
        ),
        (f"{sign[0]} in the layer before the output", f"{sign[1]} {below}"),
        (f"{sign[0]} in layer 1", f"{sign[1]} in layer 1"),
        (f"{sign[0]} in the output layer", f"{sign[1]} in every layer"),
    }


def test_cross_entropy_is_half_a_missing_slope() -> None:
    _, case = CASES[0]
    missing = next(m for m in GRADIENT if m.name == "σ' is missing")
    one = _grads(case, CROSS_ENTROPY, frozenset())
    other = _grads(case, missing, frozenset({2}))
    assert _alike([2 * g for g in one], other)
