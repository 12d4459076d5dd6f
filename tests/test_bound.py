"""The bound, term by term: against the formulas written out once more in plain Python, and each term where it rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import exp
from typing import Any

import numpy as np
import pytest

from gradparity.contract import Dense, Layer, Network, Params, Schedule, map_params, tensors
from gradparity.reference.activations import sigmoid
from gradparity.reference.bound import bound
from gradparity.reference.bound_update import bound_update
from gradparity.reference.passes import RIGHT, evaluate
from gradparity.reference.precision import Precision
from gradparity.reference.step import StepValues
from gradparity.reference.updates import apply_update
from gradparity.suites.core import CORE_SUITE
from gradparity.verdict.case import Case
from gradparity.verdict.judge import PHASES, Finding, Verdict, combine, judge

from .helpers import findings, implementation, informative_case

F64, F32 = Precision.of(np.float64), Precision.of(np.float32)
COARSE = Precision("coarse", 2.0**-6, 2.0**-9, 1e30)
"""So coarse that every term, η's and the squares of errors among them, has its share."""

Matrix = list[list[float]]


def by_hand(case: Case, r: Precision, tail: float = 0.0) -> StepValues:
    """E of every number, entry by entry, straight from the formulas. Slow, and without NumPy's arithmetic."""
    u, eta = r.eps / 2, r.eta

    def gamma(n: int) -> float:
        return n * u / (1 - n * u)

    def product(a: float, ea: float, b: float, eb: float, k: int) -> float:
        return (a * eb + b * ea + ea * eb) * (1 + k * u) + k * u * a * b + k * eta

    inputs, targets = (array.tolist() for array in case.batch)
    step = evaluate(case.network, case.params, *case.batch, RIGHT)
    a = [inputs, *(values.tolist() for values in step.activations[1:])]
    z, deltas = ([v.tolist() for v in values] for values in (step.pre_activations, step.deltas))
    samples, depth = len(inputs), len(case.params)
    weights = [layer.weight.tolist() for layer in case.params]

    e_a: list[Matrix] = [[[0.0] * len(row) for row in inputs]]
    for at, layer in enumerate(case.params):
        n, m = layer.weight.shape
        g = gamma(n if layer.bias is None else n + 1)
        rows = []
        for i in range(samples):
            row = []
            for j in range(m):
                size = sum(abs(a[at][i][k]) * abs(weights[at][k][j]) for k in range(n))
                size += 0.0 if layer.bias is None else abs(float(layer.bias[j]))
                carried = sum(e_a[at][i][k] * abs(weights[at][k][j]) for k in range(n))
                e_z = (1 + g) * carried + g * size + (2 * n + 1) * eta
                q = exp(-max(0.0, abs(z[at][i][j]) - e_z))
                slope = q / (1 + q) ** 2
                own = 4 * r.eps
                value = min(slope * e_z, 1.0) * (1 + own) + own * a[at + 1][i][j] + eta + tail
                row.append(value)
            rows.append(row)
        e_a.append(rows)

    outputs = len(targets[0])
    kappa = 1 / (samples * outputs)
    resid = [[abs(a[-1][i][j] - targets[i][j]) for j in range(outputs)] for i in range(samples)]
    e_r = [
        [e_a[-1][i][j] * (1 + u) + u * resid[i][j] for j in range(outputs)] for i in range(samples)
    ]
    pairs = [
        (x, e)
        for row, errors in zip(resid, e_r, strict=True)
        for x, e in zip(row, errors, strict=True)
    ]
    squares = sum((2 * x * e + e * e) * (1 + 2 * u) + 2 * u * x * x + eta for x, e in pairs)
    g = gamma(samples * outputs + 3)
    e_loss = kappa * ((1 + g) * squares + g * sum(x * x for x, _ in pairs)) + 2 * eta

    d_a = [[2 * kappa * x for x in row] for row in resid]
    e_d = [
        [2 * kappa * e + 6 * u * kappa * x + eta for x, e in zip(row, errors, strict=True)]
        for row, errors in zip(resid, e_r, strict=True)
    ]
    grads: list[Layer] = []
    for at in reversed(range(depth)):
        n, m = case.params[at].weight.shape
        e_delta = []
        for i in range(samples):
            row = []
            for j in range(m):
                out, e_out = a[at + 1][i][j], e_a[at + 1][i][j]
                slope = out * (1 - out)
                e_slope = (abs(1 - 2 * out) * e_out + e_out**2) * (1 + 3 * u) + 3 * u * slope
                e_slope += 2 * eta + tail
                k = 3 if at == depth - 1 else 1
                row.append(product(d_a[i][j], e_d[i][j], slope, e_slope, k))
            e_delta.append(row)
        delta = [[abs(x) for x in row] for row in deltas[at]]
        below, e_below = a[at], e_a[at]
        g, floor = gamma(samples), (2 * samples + 1) * eta
        weight = [
            [
                (1 + g)
                * sum(
                    abs(below[i][k]) * e_delta[i][j]
                    + e_below[i][k] * delta[i][j]
                    + e_below[i][k] * e_delta[i][j]
                    for i in range(samples)
                )
                + g * sum(abs(below[i][k]) * delta[i][j] for i in range(samples))
                + floor
                for j in range(m)
            ]
            for k in range(n)
        ]
        bias = [
            (1 + g) * sum(e_delta[i][j] for i in range(samples))
            + g * sum(delta[i][j] for i in range(samples))
            + floor
            for j in range(m)
        ]
        has_bias = case.params[at].bias is not None
        grads.insert(0, Layer(np.array(weight), np.array(bias) if has_bias else None))
        g, floor = gamma(m), (2 * m + 1) * eta
        e_d = [
            [
                (1 + g) * sum(e_delta[i][j] * abs(weights[at][k][j]) for j in range(m))
                + g * sum(delta[i][j] * abs(weights[at][k][j]) for j in range(m))
                + floor
                for k in range(n)
            ]
            for i in range(samples)
        ]
        d_a = [
            [abs(sum(deltas[at][i][j] * weights[at][k][j] for j in range(m))) for k in range(n)]
            for i in range(samples)
        ]

    rate = case.schedule.learning_rate
    updated = after(case, step.grads)

    def e_updated(e: Any, grad: Any, old: Any, new: Any) -> Any:
        # 1.01: the bound of the gradient itself is rounded.
        return rate * 1.01 * e + 3 * u * rate * abs(grad) + 2 * u * abs(new) + u * abs(old) + eta

    e_new = map_params(e_updated, tuple(grads), step.grads, case.params, updated)
    return StepValues([np.array(e) for e in e_a[1:]], e_loss, tuple(grads), e_loss, e_new)


def of(case: Case, r: Precision, *, absolute_sigmoid: bool = False) -> StepValues:
    step = evaluate(case.network, case.params, *case.batch, RIGHT)
    e = bound(case.network, step, case.params, case.batch[1], r, absolute_sigmoid=absolute_sigmoid)
    updated, _ = bound_update(
        case.schedule, case.params, step.grads, e.grads or (), case.state, case.update + 1, r
    )
    return replace(e, updated=updated)


def after(case: Case, grads: Params) -> Params:
    return apply_update(case.schedule, case.params, grads, case.state, case.update + 1)[0]


def numbers(step: StepValues) -> list[np.ndarray]:
    return [
        *(np.asarray(a) for a in step.activations or ()),
        np.asarray(step.loss),
        *tensors(step.grads or ()),
        np.asarray(step.recorded),
        *tensors(step.updated or ()),
    ]


def single(weight: list[list[float]], inputs: list[float], target: float) -> Case:
    """One sample, one unit, no bias."""
    return Case(
        Network((len(inputs),), (Dense(1, bias=False),)),
        (Layer(np.array(weight), None),),
        np.array([inputs]),
        np.array([[target]]),
        Schedule(1.0, 1),
    )


CANCELLING = single([[1000.0], [-1000.0]], [1.0, 1.0], 0.9)
"""z is 0 and its error larger than that: σ may be anything between 0 and 1, and no further off."""

CASES = [
    CANCELLING,
    informative_case("float64"),
    *(c.case("float64", seed=2) for c in CORE_SUITE[:6]),
]


@pytest.mark.parametrize("absolute_sigmoid", [False, True])
@pytest.mark.parametrize("r", [F64, F32, COARSE], ids=lambda r: r.name)
@pytest.mark.parametrize("case", CASES, ids=lambda c: str(c.network))
def test_the_formulas_once_more(case: Case, r: Precision, absolute_sigmoid: bool) -> None:
    ours = numbers(of(case, r, absolute_sigmoid=absolute_sigmoid))
    theirs = numbers(by_hand(case, r, tail=4 * r.eps if absolute_sigmoid else 0.0))
    for mine, other in zip(ours, theirs, strict=True):
        # 1.01: the bound itself is rounded.
        np.testing.assert_allclose(mine, 1.01 * other, rtol=1e-9)


def rounded(case: Case, r: Precision, draw: Callable[[Any], Any]) -> StepValues:
    """The step with an error in every operation, of what share of the largest that the format allows `draw` says."""
    u = r.eps / 2

    def plus(x: Any) -> Any:
        return x * (1 + u * draw(np.shape(x)))

    def times(x: Any) -> Any:
        return plus(x) + r.eta * draw(np.shape(x))

    def summed(terms: Any) -> Any:  # over the first axis, term after term
        total = terms[0]
        for term in terms[1:]:
            total = plus(total + term)
        return total

    def matmul(a: Any, b: Any) -> Any:
        return summed(times(a.T[:, :, None] * b[:, None, :]))

    inputs, targets = case.batch
    a = [inputs]
    for weight, bias in case.params:
        z = matmul(a[-1], weight)
        exact = sigmoid(z if bias is None else plus(z + bias))
        a.append(exact * (1 + 4 * r.eps * draw(exact.shape)) + r.eta * draw(exact.shape))
    residual = plus(a[-1] - targets)
    loss = times(summed(times(residual**2).ravel()) / residual.size)
    d_a = times(times(2 * residual) / residual.size)
    grads: list[Layer] = []
    for index in reversed(range(len(case.params))):
        weight, bias = case.params[index]
        out = a[index + 1]
        delta = times(d_a * times(out * plus(1 - out)))
        grads.insert(0, Layer(matmul(a[index].T, delta), None if bias is None else summed(delta)))
        d_a = matmul(delta, weight.T)
    rate = plus(case.schedule.learning_rate)
    updated = map_params(lambda w, g: plus(w - times(rate * g)), case.params, tuple(grads))
    return StepValues(a[1:], loss, tuple(grads), loss, updated)


@pytest.mark.parametrize(
    ("eps", "eta"), [(2.0**-12, 0.0), (2.0**-12, 2.0**-20), (2.0**-40, 2.0**-30)]
)
def test_whatever_rounds_stays_inside_and_comes_near(eps: float, eta: float) -> None:
    """Errors of the full size in every operation, signs all alike or drawn: inside; some, by a fair part."""
    r = Precision("coarse", eps, eta, 1e300)
    rng = np.random.default_rng(1)
    draws: list[Callable[[Any], Any]] = [np.ones, lambda shape: -np.ones(shape)]
    draws += [lambda shape: rng.choice([-1.0, 1.0], shape)] * 20
    worst: dict[str, float] = {}
    for case in CASES[1:]:
        params: Params = case.params
        exact = evaluate(case.network, params, *case.batch, RIGHT)
        updated = after(case, exact.grads)
        expected = StepValues(exact.activations[1:], exact.loss, exact.grads, exact.loss, updated)
        e = of(case, r)
        for draw in draws:
            for found in judge(params, rounded(case, r, draw), expected, e, 1.0):
                assert found.share <= 1, found
                worst[found.phase] = max(worst.get(found.phase, 0.0), found.share)
    assert set(worst) == set(PHASES)
    assert min(worst.values()) > 0.5  # measured 0.56


def test_formats_are_what_they_are() -> None:
    assert Precision.of("float32") == Precision(
        "float32", 2.0**-23, 2.0**-126, (2 - 2.0**-23) * 2.0**127
    )
    assert Precision.of(np.float64) == Precision(
        "float64", 2.0**-52, 2.0**-1022, (2 - 2.0**-52) * 2.0**1023
    )


def test_rounding_alone_scales_with_the_format() -> None:
    case = informative_case("float64")
    for single_, double in zip(numbers(of(case, F32)), numbers(of(case, F64)), strict=True):
        np.testing.assert_allclose(single_, 2.0**29 * double, rtol=1e-4)


@pytest.mark.parametrize("z", [-800.0, 800.0])
def test_a_saturated_unit_has_a_bound(z: float) -> None:
    """e^800 overflows, but nothing needs it: only σ's own error is left, and that of an underflow."""
    (e,) = of(single([[z]], [1.0], 0.5), F64).activations or ()
    assert e is not None
    np.testing.assert_allclose(e, 1.01 * ((z > 0) * 4 * F64.eps + F64.eta), rtol=1e-9)


def test_a_sigmoid_is_expected_to_be_right_in_its_tail_too() -> None:
    case = informative_case("float64")
    strict, usual = of(case, F64, absolute_sigmoid=False), case.expect()[1]
    np.testing.assert_allclose(numbers(strict)[0], numbers(usual)[0], rtol=1e-9)
    step = evaluate(case.network, case.params, *case.batch, RIGHT)
    plain = bound(case.network, step, case.params, case.batch[1], F64)
    assert np.array_equal(numbers(strict)[0], numbers(plain)[0])


def test_numbers_beyond_the_range_have_no_bound() -> None:
    """Where the terms of a sum may overflow, nothing can be said; just below, there is a bound."""
    one = single([[2.0]], [3.0], 0.5)
    for largest, finite in ((6.0, True), (5.99, False)):  # |a| |w| = 6
        with np.errstate(invalid="ignore"):
            e = of(one, Precision("small", 2.0**-20, 1e-30, largest))
        for number in numbers(e):
            assert bool(np.all(np.isfinite(number))) == finite


def test_an_update_beyond_the_range_has_no_bound() -> None:
    case = informative_case("float64")
    wild = replace(case, schedule=replace(case.schedule, learning_rate=1e301))
    e = of(wild, replace(F64, largest=1e300))
    assert all(np.all(np.isinf(x)) for x in tensors(e.updated or ()))
    assert all(np.all(np.isfinite(x)) for x in tensors(e.grads or ()))


@pytest.mark.parametrize(
    ("size", "judged"),
    [(1e18, {"loss", "gradient", "update"}), (1e20, {"gradient", "update"}), (3e38, set())],
)
def test_targets_whose_residuals_overflow_are_no_mistake(size: float, judged: set[str]) -> None:
    """Float32 holds neither the square of 1e20 nor twice 3e38."""
    case = informative_case("float32")
    huge = replace(case, targets=case.targets * np.float32(size))
    with np.errstate(all="ignore"):
        found = findings(huge, implementation("numpy"))
    assert Verdict.DISAGREE not in {f.verdict for f in found}
    assert {f.phase for f in found if f.verdict is Verdict.AGREE} == {"forward", *judged}


def test_a_bias_gradient_beyond_the_range_has_no_bound() -> None:
    """Eight times 312.5; no other sum of the gradients goes beyond 2000."""
    case = Case(
        Network((1,), (Dense(1), Dense(1))),
        (Layer(np.zeros((1, 1)), np.zeros(1)), Layer(np.full((1, 1), 20.0), np.full(1, -10.0))),
        np.full((8, 1), 0.1),
        np.full((8, 1), -999.5),
        Schedule(1e-3, 1),
    )
    for largest, finite in ((2510.0, True), (2490.0, False)):
        grads = of(case, Precision("small", 2.0**-20, 1e-30, largest)).grads or ()
        assert [bool(np.isfinite(e).all()) for e in tensors(grads)] == [True, finite, True, True]


def test_weight_and_change_together_may_be_beyond_the_range() -> None:
    one = single([[2.0]], [0.5], 0.0)  # the change is 0.14
    for largest, finite in ((2.2, True), (2.1, False)):
        e = of(one, Precision("small", 2.0**-20, 1e-30, largest))
        assert bool(np.isfinite(tensors(e.updated or ())[0]).all()) == finite
        assert np.isfinite(tensors(e.grads or ())[0]).all()


def _step(value: float) -> StepValues:
    return StepValues(loss=np.float64(value))


def test_the_edges_of_the_verdict() -> None:
    """Exactly on the bound is inside; ρ of exactly a hundredth still tells; slack widens both."""
    params: Any = ()

    def verdict(seen: float, exact: float, e: float, slack: float = 1.0) -> Finding:
        (found,) = judge(params, _step(seen), _step(exact), _step(e), slack)
        return found

    assert verdict(1.0 + 2**-10, 1.0, 2**-10).verdict is Verdict.AGREE
    assert verdict(1.0 + 2**-10, 1.0, 2**-11).verdict is Verdict.DISAGREE
    assert verdict(1.0 + 2**-10, 1.0, 2**-11, slack=2.0).verdict is Verdict.AGREE
    assert verdict(1.0, 1.0, 0.01).verdict is Verdict.AGREE
    assert verdict(1.0, 1.0, 0.011).verdict is Verdict.ABSTAIN
    assert verdict(1.0, 1.0, 0.006, slack=2.0).verdict is Verdict.ABSTAIN
    found = verdict(1.5, 1.0, 0.4)
    assert (found.verdict, found.beyond) == (Verdict.DISAGREE, 1)
    assert str(found).endswith(" of the bound)")  # of one entry it need not be said
    found = verdict(1.0, 1.0, np.inf)
    assert (found.verdict, found.share) == (Verdict.ABSTAIN, 0.0)
    assert verdict(np.nan, 1.0, 0.001).share == np.inf
    found = verdict(np.inf, np.inf, np.inf)
    assert (found.verdict, found.share) == (Verdict.ABSTAIN, 0.0)
    found = verdict(1.25, 1.0, 0.5)
    assert (found.share, found.difference, found.allowed, found.index) == (0.5, 0.25, 0.5, ())
    assert (found.value, found.expected, found.beyond, found.entries) == (1.25, 1.0, 0, 1)
    assert str(found) == (
        "loss: loss: 1.25 against 1, difference 0.25, allowed 0.5 (0.5 of the bound)"
    )


def test_what_is_not_shown_is_not_judged() -> None:
    case = informative_case("float64")
    expected, e = case.expect()
    assert judge(case.params, StepValues(), expected, e, 1.0) == []
    seen = StepValues(
        activations=[None, None, (expected.activations or ())[2]], recorded=expected.loss
    )
    found = judge(case.params, seen, expected, e, 1.0)
    assert [(f.phase, f.layer, f.tensor) for f in found] == [
        ("forward", 2, "activation"),
        ("loss", None, "recorded loss"),
    ]
    found = judge(case.params, StepValues(grads=expected.grads), expected, e, 1.0)
    assert [(f.layer, f.tensor) for f in found] == [
        (2, "weight"),
        (2, "bias"),
        (1, "weight"),
        (0, "weight"),
        (0, "bias"),
    ]
    assert combine(f.verdict for f in found) is Verdict.AGREE
    weights = tuple(layer._replace(bias=None) for layer in expected.grads or ())
    found = judge(case.params, StepValues(grads=weights), expected, e, 1.0)
    assert [(f.layer, f.tensor) for f in found] == [(2, "weight"), (1, "weight"), (0, "weight")]
    wrong = [np.array(a) for a in expected.activations or () if a is not None]
    wrong[1][2, 3] += 1e-9
    (_, finding, _) = judge(case.params, StepValues(activations=list(wrong)), expected, e, 1.0)
    assert (finding.index, finding.layer) == ((2, 3), 1)
    assert str(finding).startswith("forward: activation[2, 3] of layer 2 of 3: 0.")
    assert ", difference 1e-09, allowed " in str(finding)
    assert str(finding).endswith(" of the bound), 1 of 16 entries beyond it")
    value, other = str(finding).split(": ")[2].split(",")[0].split(" against ")
    assert value != other
    assert float(value) == pytest.approx(float(other), abs=1.1e-9)


def test_the_count_shows_a_wrong_row() -> None:
    """One row of three by four is wrong, one of its entries by chance right: three of twelve."""
    exact = np.arange(1.0, 13.0).reshape(3, 4)
    wrong = exact.copy()
    wrong[1, 1:] += 0.5
    step, bound_ = StepValues(activations=[exact]), StepValues(activations=[exact * 1e-3])
    before = (Layer(exact, None), Layer(exact, None))
    (found,) = judge(before, StepValues(activations=[wrong]), step, bound_, 1.0)
    assert (found.beyond, found.entries, found.index) == (3, 12, (1, 1))
    assert (found.value, found.expected) == (6.5, 6.0)
    assert str(found).startswith(
        "forward: activation[1, 1] of layer 1 of 2: 6.5 against 6, difference 0.5"
    )
    assert str(found).endswith(" of the bound), 3 of 12 entries beyond it")


def test_without_a_bound_no_entry_is_beyond_it() -> None:
    values = StepValues(loss=np.array(np.nan)), StepValues(loss=np.array(1.0))
    (found,) = judge((), *values, StepValues(loss=np.array(np.inf)), 1.0)
    assert (found.verdict, found.share, found.beyond) == (Verdict.ABSTAIN, 0.0, 0)


def test_the_words_that_others_read() -> None:
    assert PHASES == ("forward", "loss", "gradient", "update")
    assert [v.value for v in Verdict] == ["agree", "disagree", "abstain"]


def test_a_whole_step_in_the_order_of_computation() -> None:
    case = informative_case("float64")
    expected, e = case.expect()
    found = judge(case.params, expected, expected, e, 1.0)
    parameters = [(2, "weight"), (2, "bias"), (1, "weight"), (0, "weight"), (0, "bias")]
    assert [(f.phase, f.layer, f.tensor) for f in found] == [
        *(("forward", layer, "activation") for layer in range(3)),
        ("loss", None, "loss"),
        *(("gradient", *at) for at in parameters),
        ("loss", None, "recorded loss"),
        ("loss", None, "final loss"),
        *(("update", *at) for at in parameters),
    ]
    assert {f.verdict for f in found} == {Verdict.AGREE}


def test_what_a_bound_is_measured_against() -> None:
    """An activation, a loss, a gradient: itself. An update: how far the weight moved, not where it stands."""
    weight = np.array([[100.0, 100.0]])

    def verdicts(e: float) -> dict[str, Verdict]:
        bound_ = StepValues([np.array([[e]])], e, _params(e), e, _params(e))
        exact = StepValues(
            [np.array([[4.0]])], 4.0, _params(4.0), 4.0, (Layer(weight + 4.0, None),)
        )
        found = judge((Layer(weight, None),), exact, exact, bound_, 1.0)
        return {f"{f.phase} {f.tensor}": f.verdict for f in found}

    def _params(value: float) -> Any:
        return (Layer(np.full((1, 2), value), None),)

    assert set(verdicts(0.03).values()) == {Verdict.AGREE}
    assert set(verdicts(0.05).values()) == {Verdict.ABSTAIN}
    assert len(verdicts(0.05)) == 5


def test_steps_of_different_shape_are_no_steps() -> None:
    """A missing layer is an error of the program that asks, not something to pass over."""
    case = informative_case("float64")
    expected, e = case.expect()
    fewer = (expected.activations or ())[:2]
    with pytest.raises(ValueError, match=r"argument 2 is (longer|shorter)"):
        judge(case.params, StepValues(activations=fewer), expected, e, 1.0)
    with pytest.raises(ValueError, match=r"argument 2 is (longer|shorter)"):
        judge(case.params, StepValues(grads=(expected.grads or ())[:2]), expected, e, 1.0)
    with pytest.raises(ValueError, match=r"argument 2 is (longer|shorter)"):
        judge(case.params, StepValues(updated=(expected.updated or ())[:2]), expected, e, 1.0)
