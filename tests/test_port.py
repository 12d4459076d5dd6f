"""`port` from end to end: every form of a model, what is told of a wrong one, and what is never called agreed."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from flax import linen, nnx
from torch import nn

from gradparity.errors import InputError
from gradparity.porting.api import port
from gradparity.porting.result import Mode, Result
from gradparity.testing import assert_port

from .helpers import CommandLine

IN, HIDDEN, OUT, BATCH = 3, 5, 2, 4


class Net(nn.Module):
    """The original of most tests."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(IN, HIDDEN)
        self.drop = nn.Dropout(0.3)
        self.second = nn.Linear(HIDDEN, OUT)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.drop(torch.tanh(self.first(x))))


class Linen(linen.Module):
    @linen.compact
    def __call__(self, x: Any, deterministic: bool = True) -> Any:
        x = jnp.tanh(linen.Dense(HIDDEN)(x))
        x = linen.Dropout(0.3, deterministic=deterministic)(x)
        return linen.Dense(OUT)(x)


class Nnx(nnx.Module):
    def __init__(self, rngs: Any) -> None:
        self.first = nnx.Linear(IN, HIDDEN, rngs=rngs)
        self.drop = nnx.Dropout(0.3, rngs=rngs)
        self.second = nnx.Linear(HIDDEN, OUT, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.second(self.drop(jnp.tanh(self.first(x))))


class Equinox(eqx.Module):
    first: eqx.nn.Linear
    drop: eqx.nn.Dropout
    second: eqx.nn.Linear

    def __call__(self, x: Any) -> Any:
        return jax.vmap(lambda one: self.second(self.drop(jnp.tanh(self.first(one)))))(x)


def weights(original: nn.Module) -> dict[str, Any]:
    return {name: value.detach().numpy().copy() for name, value in original.state_dict().items()}


def to_linen(original: nn.Module) -> Any:
    w = weights(original)
    dense = [
        {"kernel": w[f"{name}.weight"].T, "bias": w[f"{name}.bias"]} for name in ("first", "second")
    ]
    return Linen(), {"params": {"Dense_0": dense[0], "Dense_1": dense[1]}}


def to_nnx(original: nn.Module) -> Any:
    w, model = weights(original), Nnx(nnx.Rngs(0))
    for name in ("first", "second"):
        layer = getattr(model, name)
        layer.kernel[...] = w[f"{name}.weight"].T
        layer.bias[...] = w[f"{name}.bias"]
    return model


def to_equinox(original: nn.Module) -> Any:
    w, key = weights(original), jax.random.key(0)
    first, second = eqx.nn.Linear(IN, HIDDEN, key=key), eqx.nn.Linear(HIDDEN, OUT, key=key)
    model = Equinox(first, eqx.nn.Dropout(0.3), second)
    return eqx.tree_at(
        lambda m: (m.first.weight, m.first.bias, m.second.weight, m.second.bias),
        model,
        tuple(jnp.asarray(value) for value in w.values()),
    )


def to_haiku(original: nn.Module) -> Any:
    def model(x: Any, is_training: bool) -> Any:
        hidden = jnp.tanh(hk.Linear(HIDDEN)(x))
        return hk.Linear(OUT)(hidden)

    w = weights(original)
    layers = {"linear": "first", "linear_1": "second"}
    params = {
        ours: {"w": w[f"{theirs}.weight"].T, "b": w[f"{theirs}.bias"]}
        for ours, theirs in layers.items()
    }
    return hk.transform(model), params


def to_jax(original: nn.Module) -> Any:
    def model(params: Any, x: Any) -> Any:
        hidden = jnp.tanh(x @ params["first.weight"].T + params["first.bias"])
        return hidden @ params["second.weight"].T + params["second.bias"]

    return model, jax.tree.map(jnp.asarray, weights(original))


def to_torch(original: nn.Module) -> Any:
    def model(params: Any, x: Any) -> Any:
        hidden = (x @ params["first.weight"].T + params["first.bias"]).tanh()
        return hidden @ params["second.weight"].T + params["second.bias"]

    return model, {name: value.detach().clone() for name, value in original.state_dict().items()}


def to_numpy(original: nn.Module, slope: float = 1.0) -> Any:
    def model(params: Any, x: Any) -> Any:
        hidden = np.tanh(x @ params["first.weight"].T + params["first.bias"])

        def backward(d_output: Any) -> Any:
            d_z = d_output @ params["second.weight"] * (1 - slope * hidden**2)
            return {
                "first.weight": d_z.T @ x,
                "first.bias": d_z.sum(0),
                "second.weight": d_output.T @ hidden,
                "second.bias": d_output.sum(0),
            }

        return hidden @ params["second.weight"].T + params["second.bias"], backward

    return model, weights(original)


def batch(rng: np.random.Generator) -> Any:
    return {"x": rng.standard_normal((BATCH, IN))}


def the_mode(result: Result) -> Mode:
    (mode,) = result.modes
    return mode


PORTS = {
    "linen": to_linen,
    "nnx": to_nnx,
    "equinox": to_equinox,
    "haiku": to_haiku,
    "jax": to_jax,
    "torch": to_torch,
    "numpy": to_numpy,
}
WITH_MODES = {"linen", "nnx", "equinox", "haiku"}


@pytest.mark.parametrize("form", PORTS)
def test_a_right_port_agrees_in_every_form(form: str) -> None:
    found = port(Net, PORTS[form], batch)
    assert found.verdict == "agree"
    assert [mode.name for mode in found.modes] == (
        ["eval", "train"] if form in WITH_MODES else [""]
    )
    for mode in found.modes:
        assert not mode.differences
        assert not mode.conversions
        assert not mode.islands
        names = {one.name for one in mode.judged if one.verdict == "agree" and one.informative}
        gradients = {f"gradient {name}" for name in weights(Net())}
        assert names == {"output", "loss", *gradients}
        assert mode.precision is not None
        assert mode.precision.difference is not None
        assert mode.precision.difference < 1e-5


@pytest.mark.parametrize("form", PORTS)
def test_a_port_with_another_slope_is_not_called_right(form: str) -> None:
    """The planted fault: the last bias is a millionth off."""

    def wrong(original: nn.Module) -> Any:
        with torch.no_grad():
            original.get_parameter("second.bias").mul_(1 + 1e-6)
        return PORTS[form](original)

    found = port(Net, wrong, batch)
    assert found.verdict == "disagree"


def test_inputs_are_given_by_name_in_order_or_alone() -> None:
    x = np.random.default_rng(0).standard_normal((BATCH, IN))
    for inputs in ({"x": x}, {"another_name": x}, (x,), x):
        assert port(Net, to_jax, inputs).verdict == "agree"


def test_models_with_their_weights_are_taken_as_they_are() -> None:
    original = Net()
    before = weights(original)
    assert port(original, to_jax(original), batch).verdict == "agree"
    assert port(original, to_jax, batch).verdict == "agree"
    assert all(np.array_equal(value, before[name]) for name, value in weights(original).items())
    assert original.training


def test_a_mistake_in_a_gradient_by_hand_is_found_there() -> None:
    found = the_mode(port(Net, lambda original: to_numpy(original, 0.5), batch))
    assert found.verdict == "disagree"
    (difference,) = found.differences
    assert difference.part == "backward"
    assert "1 - slope" in difference.port[0].text
    assert next(one for one in found.judged if one.name == "output").verdict == "agree"


# --- Modes and updates ----------------------------------------------------------------------------


class Normalised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(IN, HIDDEN), nn.BatchNorm1d(HIDDEN)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.first(x))


def to_normalised(unbiased: bool) -> Callable[[nn.Module], Any]:
    def model(params: Any, state: Any, x: Any, train: bool) -> Any:
        x = x @ params["first.weight"].T + params["first.bias"]
        mean, var = (x.mean(0), x.var(0)) if train else (state["mean"], state["var"])
        new = var * BATCH / (BATCH - 1) if unbiased else var
        changed = {
            "mean": 0.9 * state["mean"] + 0.1 * mean,
            "var": 0.9 * state["var"] + 0.1 * new,
        }
        y = (x - mean) / jnp.sqrt(var + 1e-5) * params["norm.weight"] + params["norm.bias"]
        return y, changed if train else state

    def convert(original: nn.Module) -> Any:
        w = weights(original)
        state = {name: jnp.asarray(w[f"norm.running_{name}"]) for name in ("mean", "var")}
        names = ("first.weight", "first.bias", "norm.weight", "norm.bias")
        return model, {name: jnp.asarray(w[name]) for name in names}, state

    return convert


def test_running_statistics_are_judged_in_train_mode() -> None:
    right = port(Normalised, to_normalised(unbiased=True), batch)
    assert [(mode.name, mode.verdict) for mode in right.modes] == [
        ("eval", "agree"),
        ("train", "agree"),
    ]
    judged = {one.name: one for one in right.modes[1].judged}
    assert judged["updated norm.running_var"].informative
    assert not judged["gradient first.bias"].informative  # the mean takes it away
    wrong = port(Normalised, to_normalised(unbiased=False), batch)
    assert [mode.verdict for mode in wrong.modes] == ["agree", "disagree"]
    (difference,) = wrong.modes[1].differences
    assert "running_var" in difference.what


@pytest.mark.parametrize(
    ("theirs", "right"),
    [
        (optax.adamw(1e-2, weight_decay=1e-2), True),
        (optax.adamw(1e-2), False),
        (optax.adamw(1e-2, weight_decay=1e-2, eps=1e-7), False),
        (optax.adam(1e-2), False),
    ],
)
def test_updates_are_judged_with_their_state(theirs: Any, right: bool) -> None:
    ours = partial(torch.optim.AdamW, lr=1e-2, weight_decay=1e-2)
    found = the_mode(port(Net, to_jax, batch, optimizers=(ours, theirs)))
    assert found.verdict == ("agree" if right else "disagree")
    assert {one.part for one in found.differences} == (set() if right else {"update"})
    assert any(one.name == "updated exp_avg_sq first.weight" for one in found.judged)


def test_an_optimizer_in_numpy_with_numbers_of_other_last_digits_is_right() -> None:
    def adam(params: Any, gradients: Any, state: Any) -> Any:
        zero = {name: 0 * value for name, value in params.items()}
        state = state or {"n": 0, "exp_avg": zero, "exp_avg_sq": zero}
        n = state["n"] + 1
        mean = {k: 0.9 * state["exp_avg"][k] + 0.1 * g for k, g in gradients.items()}
        square = {k: 0.999 * state["exp_avg_sq"][k] + 0.001 * g**2 for k, g in gradients.items()}
        new = {
            k: params[k]
            - 1e-2 * mean[k] / (1 - 0.9**n) / (np.sqrt(square[k] / (1 - 0.999**n)) + 1e-8)
            for k in params
        }
        return new, {"n": n, "exp_avg": mean, "exp_avg_sq": square}

    ours = partial(torch.optim.Adam, lr=1e-2)
    assert port(Net, to_numpy, batch, optimizers=(ours, adam)).verdict == "agree"


# --- Islands --------------------------------------------------------------------------------------


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.out = nn.LayerNorm(IN), nn.Linear(IN, OUT)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.norm(x))


def to_island(format_: Any, factor: float = 1.0) -> Callable[[nn.Module], Any]:
    def model(params: Any, x: Any) -> Any:
        short = x.astype(format_)
        short = short - short.mean(-1, keepdims=True)
        short = short / jnp.sqrt((short**2).mean(-1, keepdims=True) + 1e-5)
        y = short.astype(x.dtype) * params["norm.weight"] + params["norm.bias"]
        return factor * (y @ params["out.weight"].T) + params["out.bias"]

    return lambda original: (model, jax.tree.map(jnp.asarray, weights(original)))


@pytest.mark.parametrize("format_", [jnp.float32, jnp.bfloat16])
def test_an_island_is_named_and_hides_nothing(format_: Any) -> None:
    found = the_mode(port(Layer, to_island(format_), batch))
    assert found.verdict == "agree"
    island = found.islands[0]
    assert (island.side, island.format) == ("port", jnp.dtype(format_).name)
    assert {one.side for one in found.islands} == {"port"}
    assert any("short = x.astype" in place.text for place in island.places)
    assert (island.difference or 0) > 1e-9
    wrong = the_mode(port(Layer, to_island(format_, 1 + 1e-6), batch))
    assert wrong.verdict == "disagree"
    assert wrong.islands
    assert "factor *" in wrong.differences[0].port[0].text


class Rotary(nn.Module):
    """Its table is made in float32, when it is."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(6, 6)
        angle = torch.arange(5.0)[:, None] / 10000 ** (torch.arange(3) / 3)
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = self.out(x).chunk(2, -1)
        return torch.cat([a * self.cos - b * self.sin, a * self.sin + b * self.cos], -1)


@pytest.mark.parametrize("base", [10000, 10001])
def test_a_table_in_float32_is_an_island_and_another_table_is_not(base: int) -> None:
    def model(params: Any, x: Any) -> Any:
        a, b = jnp.split(x @ params["out.weight"].T + params["out.bias"], 2, -1)
        angle = jnp.arange(5)[:, None] / base ** (jnp.arange(3) / 3)
        return jnp.concatenate(
            [a * jnp.cos(angle) - b * jnp.sin(angle), a * jnp.sin(angle) + b * jnp.cos(angle)], -1
        )

    found = the_mode(
        port(
            Rotary,
            lambda original: (model, jax.tree.map(jnp.asarray, weights(original))),
            lambda rng: rng.standard_normal((2, 5, 6)),
        )
    )
    if base == 10000:
        assert found.verdict == "agree"
        assert {one.side for one in found.islands} == {"original"}
        assert len(found.islands) == 2
    else:
        assert found.verdict == "disagree"


class RotaryInParts(nn.Module):
    """The angles are computed when it is called, of frequencies that were made in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(6, 6)
        self.frequencies: torch.Tensor
        self.register_buffer("frequencies", 1 / 10000 ** (torch.arange(3) / 3), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = self.out(x).chunk(2, -1)
        angle = torch.arange(5)[:, None] * self.frequencies
        return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)


@pytest.mark.parametrize("base", [10000, 10001])
def test_a_part_of_a_table_in_float32_is_an_island_and_that_of_another_is_not(base: int) -> None:
    angle = np.arange(8)[:, None] / base ** (np.arange(3) / 3)
    table = np.concatenate([np.sin(angle), np.cos(angle)], -1).astype(np.float32)

    def model(params: Any, x: Any) -> Any:
        a, b = jnp.split(x @ params["out.weight"].T + params["out.bias"], 2, -1)
        rows = jnp.take(jnp.asarray(table), jnp.broadcast_to(jnp.arange(5), x.shape[:2]), axis=0)
        sin, cos = jnp.split(rows, 2, -1)
        return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], -1)

    found = the_mode(
        port(
            RotaryInParts,
            lambda original: (model, jax.tree.map(jnp.asarray, weights(original))),
            lambda rng: rng.standard_normal((2, 5, 6)),
        )
    )
    assert found.verdict == ("agree" if base == 10000 else "disagree")
    if base == 10000:
        assert "port" in {one.side for one in found.islands}


class Masked(nn.Module):
    """A mask in PyTorch's default format, whose lowest number is that of the input's."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(IN, OUT)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mask = torch.full((OUT,), torch.finfo(x.dtype).min).masked_fill(torch.arange(OUT) < 1, 0)
        return (self.out(x) + mask).softmax(-1)


def test_what_is_made_in_the_default_format_is_made_in_float64() -> None:
    def model(params: Any, x: Any) -> Any:
        y = x @ params["out.weight"].T + params["out.bias"]
        return jax.nn.softmax(jnp.where(jnp.arange(OUT) < 1, y, -jnp.inf))

    found = the_mode(
        port(Masked, lambda net: (model, jax.tree.map(jnp.asarray, weights(net))), batch)
    )
    assert not found.differences


class Sines(nn.Module):
    """A table that is a parameter, and not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(IN, 12)
        self.table = nn.Parameter(torch.arange(1.0, 13).sin(), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(x) * self.table


@pytest.mark.parametrize("start", [1, 2])
def test_a_parameter_that_is_not_trained_is_a_table_and_is_not_moved(start: int) -> None:
    def model(params: Any, x: Any) -> Any:
        y = x @ params["out.weight"].T + params["out.bias"]
        return y * jnp.sin(jnp.arange(start, 12.0 + start))

    def converted(net: nn.Module) -> Any:
        return model, {k: jnp.asarray(w) for k, w in weights(net).items() if k != "table"}

    found = the_mode(port(Sines, converted, batch))
    assert found.verdict == ("agree" if start == 1 else "disagree")
    assert [one.side for one in found.islands] == ["original"] * (start == 1)


# --- Never "agree" --------------------------------------------------------------------------------


def test_an_output_that_only_one_side_has_is_no_agreement() -> None:
    def more(original: nn.Module) -> Any:
        model, params = to_jax(original)
        return (lambda params, x: (model(params, x), jnp.tanh(model(params, x)))), params

    found = the_mode(port(Net, more, batch))
    assert found.verdict == "abstain"
    assert any("only in the port" in note for note in found.notes)


def test_numbers_that_are_drawn_are_no_agreement() -> None:
    class Drawn(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x + torch.rand_like(x))

    assert port(Drawn, to_jax, batch).verdict != "agree"


def test_what_has_no_rule_is_no_agreement() -> None:
    class Inverse(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.eye(IN) + 0.1 * torch.randn(IN, IN))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ torch.linalg.inv(self.weight)

    def inverse(original: nn.Module) -> Any:
        params = jax.tree.map(jnp.asarray, weights(original))
        return (lambda params, x: x @ jnp.linalg.inv(params["weight"])), params

    found = the_mode(port(Inverse, inverse, batch))
    assert found.verdict == "abstain"
    assert any("linalg" in one.why or "not known" in one.why for one in found.judged)


def test_outputs_without_information_are_no_agreement() -> None:
    class Zero(Net):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = super().forward(x)
            return y - y

    def zero(original: nn.Module) -> Any:
        model, params = to_jax(original)
        return (lambda params, x: model(params, x) - model(params, x)), params

    assert port(Zero, zero, batch).verdict == "abstain"


# --- Bad input ------------------------------------------------------------------------------------


def raising(_: Any = None) -> Any:
    raise ValueError("planted")


@pytest.mark.parametrize(
    ("original", "ported", "inputs", "message"),
    [
        (
            raising,
            to_jax,
            batch,
            r"original\(\) raised at test_port.py:\d+, in raising: ValueError",
        ),
        (Net, raising, batch, r"port\(original\) raised at test_port.py"),
        (Net, to_jax, raising, r"inputs\(rng\) raised at test_port.py"),
        (Net, lambda _: "a text", batch, "a model must be a torch.nn.Module, .* it is str"),
        (Net, lambda _: (np.tanh, {}), batch, "a model must be"),
        (Net, to_jax, lambda _: {"x": "text"}, "inputs.* must return arrays of numbers"),
        (Net, to_jax, lambda _: {"x": np.zeros((2, 99))}, "the original raised at test_port.py"),
        (Net, to_jax(Net()), batch, "give two models"),
    ],
)
def test_bad_input_is_told_in_a_line(original: Any, ported: Any, inputs: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        port(original, ported, inputs)
    assert "\n" not in str(raised.value)


def test_weights_that_are_drawn_anew_each_time_are_told() -> None:
    rng = np.random.default_rng()

    def original() -> nn.Module:
        model = Net()
        with torch.no_grad():
            model.first.weight.copy_(torch.from_numpy(rng.standard_normal((HIDDEN, IN))))
        return model

    with pytest.raises(InputError, match="other weights each time"):
        port(original, to_jax, batch)


def test_assert_port_says_where() -> None:
    assert assert_port(Net, to_jax, batch).verdict == "agree"
    with pytest.raises(AssertionError, match="1 - slope"):
        assert_port(Net, lambda original: to_numpy(original, 0.5), batch)


# --- The command ----------------------------------------------------------------------------------

PAIR = """
import jax, jax.numpy as jnp, numpy as np, torch
from torch import nn

def inputs(rng):
    return {{"x": rng.standard_normal((4, 3))}}

def original():
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh())

def port(original):
    w = {{name: jnp.asarray(value.numpy()) for name, value in original.state_dict().items()}}
    return (lambda p, x: {body}), w
"""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('jnp.tanh(x @ p["0.weight"].T + p["0.bias"])', 0),
        ('jnp.tanh(x @ p["0.weight"].T + 1.5 * p["0.bias"])', 1),
        ('(jnp.tanh(x @ p["0.weight"].T + p["0.bias"]), x)', 3),
        ("1 / 0", 2),
    ],
)
def test_the_command_and_its_exit_codes(
    body: str, code: int, tmp_path: Path, cli: CommandLine
) -> None:
    (tmp_path / "pair.py").write_text(PAIR.format(body=body))
    done = cli("port", str(tmp_path / "pair.py"), "--json", "--html", str(tmp_path / "page.html"))
    assert done.returncode == code, done.stderr
    if code == 2:
        assert "division by zero" in done.stderr
        assert not (tmp_path / "page.html").exists()
        return
    found = json.loads(done.stdout)
    assert found["verdict"] == {0: "agree", 1: "disagree", 3: "abstain"}[code]
    assert found["headline"].startswith(found["verdict"])
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")


def test_a_pair_that_lacks_a_function_is_told(tmp_path: Path, cli: CommandLine) -> None:
    (tmp_path / "pair.py").write_text("def original(): ...")
    done = cli("port", str(tmp_path / "pair.py"))
    assert done.returncode == 2
    assert "lacks inputs, port" in done.stderr
