"""The exact variants: the same bits in three frameworks, whatever they train; and a bit that is off is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from gradparity import exactness, registry
from gradparity.contract import SGD, Adam, Dense, Network, Params, Schedule, Trajectory
from gradparity.errors import ContractError
from gradparity.experiments import experiment
from gradparity.experiments.initial import batch_order, initial_params
from gradparity.suites.core import core_suite
from gradparity.verdict.agreement import judge_all
from gradparity.verdict.case import Case
from gradparity.verdict.judge import Verdict

from .helpers import ROOT, implementation, informative_case, same_bits, submodule

EXACT = ("numpy-exact", "torch-exact", "jax-exact")


def everything() -> Case:
    """Several activations, biases and none, ragged batches, momentum and weight decay: 16 updates."""
    layers = (Dense(5, "tanh"), Dense(4, "leaky_relu", False), Dense(2))
    network = Network((3,), layers)
    rng = np.random.default_rng(8)
    optimizer = SGD(0.9, nesterov=True)
    schedule = Schedule(0.35, 4, 4, batch_order(13, 4, 9), (0, 8, 16), optimizer, weight_decay=0.01)
    return Case(
        network,
        initial_params(network, "xavier", 7, "float32"),
        rng.uniform(-1, 1, (13, 3)).astype(np.float32),
        rng.uniform(0, 1, (13, 2)).astype(np.float32),
        schedule,
        0,
    )


def trained(target: Any, case: Case) -> Trajectory:
    return target.train(case.network, case.params, case.inputs, case.targets, case.schedule)


def same_run(a: Trajectory, b: Trajectory) -> bool:
    """Losses, weights and state at every kept update, to the last bit."""
    snapshots = zip((*a.kept.values(), a.final), (*b.kept.values(), b.final), strict=True)
    pairs: list[tuple[Params, Params]] = []
    for one, other in snapshots:
        arrays = zip(one.state.arrays.values(), other.state.arrays.values(), strict=True)
        pairs += [(one.params, other.params), *arrays]
    same = a.final_loss == b.final_loss and np.array_equal(a.losses, b.losses)
    return same and all(same_bits(*pair) for pair in pairs)


def test_they_are_registered_beside_the_plain_ones() -> None:
    assert set(EXACT) < set(registry.installed())


def test_the_same_bits_also_from_the_middle() -> None:
    case = everything()
    runs = [trained(implementation(name), case) for name in EXACT]
    assert len(runs[0].kept) == 3
    assert all(same_run(runs[0], other) for other in runs[1:])
    params, state = runs[0].kept[8]
    for name in EXACT:
        data = case.inputs, case.targets
        rest = implementation(name).train(case.network, params, *data, case.schedule, state)
        assert np.array_equal(rest.losses, runs[0].losses[8:])
        assert same_bits(rest.final.params, runs[0].final.params)


def test_the_same_activations_losses_and_gradients() -> None:
    case = everything()
    results = []
    for name in EXACT:
        target = implementation(name)
        loss, grads = target.loss_and_grads(case.network, case.params, *case.batch)
        results.append((target.forward(case.network, case.params, case.batch[0]), loss, grads))
    first = results[0]
    for activations, loss, grads in results[1:]:
        assert all(map(np.array_equal, activations, first[0]))
        assert loss == first[1]
        assert same_bits(grads, first[2])


def test_they_are_right() -> None:
    """NumPy's is judged on the vetted suite; where the others have its bits, its verdict is theirs."""
    agreement = judge_all({"numpy-exact": implementation("numpy-exact")}, core_suite("float32"))
    assert agreement.verdict is Verdict.AGREE, agreement.first


def test_without_rounding_bits_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: one framework that does not round. Its last bits then decide."""
    case = everything()
    exact = trained(implementation("numpy-exact"), case)
    for one in (submodule("impl_numpy.exact"), submodule("impl_torch.exact")):
        with monkeypatch.context() as patched:
            patched.setattr(one, "rounded", lambda a: a)
            assert not same_run(trained(registry.load(one.__name__), case), exact)


def test_xla_keeps_the_roundings() -> None:
    """A cast to float32 and back is no identity to XLA's simplifier, in the compiled gradient either."""
    numbers = np.random.default_rng(0).normal(size=999)
    found = jax.jit(submodule("impl_jax.exact.rounding").rounded)(jnp.asarray(numbers))
    assert np.array_equal(found, numbers.astype(np.float32))
    assert not np.array_equal(found, numbers)
    through = jax.jit(
        jax.grad(lambda a: jnp.sum(submodule("impl_jax.exact.rounding").rounded(a) * numbers))
    )
    assert np.array_equal(through(jnp.asarray(numbers)), numbers.astype(np.float32))
    a = torch.from_numpy(numbers).requires_grad_()
    torch.sum(
        submodule("impl_torch.exact.rounding").rounded(a) * torch.from_numpy(numbers)
    ).backward()
    assert a.grad is not None
    assert np.array_equal(a.grad.numpy(), numbers.astype(np.float32))


def test_no_update_is_a_tie_in_the_making() -> None:
    """With 1.05 in float64 this weight's update ends on either side of a tie, with a fused multiply-add or without."""
    weight, grad = (float.fromhex(n) for n in ("-0x1.ac0d58p-7", "-0x1.5124a2p-6"))
    rate = exactness.in_float32(Schedule(1.05, 1)).learning_rate
    assert rate == np.float32(1.05)
    fused = float(np.longdouble(weight) - np.longdouble(rate) * np.longdouble(grad))
    assert np.float32(fused) == np.float32(weight - rate * grad)
    fused = float(np.longdouble(weight) - np.longdouble(1.05) * np.longdouble(grad))
    assert np.float32(fused) != np.float32(weight - 1.05 * grad)


@pytest.mark.parametrize("name", EXACT)
def test_what_would_not_be_exact_is_refused(name: str) -> None:
    target, case = implementation(name), everything()
    wide = informative_case("float64")
    with pytest.raises(ContractError, match=r"float32, found float64: set dtype"):
        target.forward(wide.network, wide.params, wide.inputs)
    with pytest.raises(ContractError, match=r"support only SGD"):
        trained(target, replace(case, schedule=replace(case.schedule, optimizer=Adam())))
    logits = replace(case.network, loss="binary_cross_entropy")
    with pytest.raises(ContractError, match=r"support only dense layers and the MSE"):
        target.loss_and_grads(logits, case.params, *case.batch)
    conv = experiment.load("bars-conv").model_copy(update={"dtype": "float32"}).problem()
    with pytest.raises(ContractError, match=r"support only dense layers and the MSE"):
        target.forward(conv.network, conv.params, conv.inputs)


def test_the_port_of_the_how_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With its switch it has the bits of the exact variants; a step that is too long by a millionth has not."""
    port = ROOT / "docs" / "adapters" / "exact_port.py"
    case = informative_case("float32")
    expected = trained(implementation("numpy-exact"), case)
    monkeypatch.setenv("EXACT", "1")
    assert same_run(trained(registry.load(str(port)), case), expected)
    wrong = tmp_path / "port.py"
    wrong.write_text(port.read_text().replace("rate * grad", "rate * grad * (1 + 1e-6)"))
    assert not same_run(trained(registry.load(str(wrong)), case), expected)
    monkeypatch.delenv("EXACT")
    agreement = judge_all({"port": registry.load(str(port))}, [("", informative_case("float64"))])
    assert agreement.verdict is Verdict.AGREE, agreement.first
