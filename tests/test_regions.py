"""Two recordings are judged region by region: right programs agree, and every difference is found at its line."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import impl_jax.gradients
import impl_numpy.gradients
import impl_torch.gradients
from gradparity.contract import Dense, Layer, Network, Params
from gradparity.reference.precision import Precision
from gradparity.tracing import jax_recorder
from gradparity.tracing.numpy_recorder import NumpyRecorder
from gradparity.tracing.recording import INPUT, LEAVES, PARAMETER, Event, Recorder, Recording, Ref
from gradparity.tracing.regions import Comparison, compare, judged, own
from gradparity.tracing.torch_recorder import TorchRecorder

from .helpers import ROOT

NETWORK = Network((2,), (Dense(4, "tanh"), Dense(4, "tanh"), Dense(1, "sigmoid")))
INPUTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
TARGETS = np.array([[0.0], [1.0], [1.0], [0.0]])
DRAW = np.random.default_rng(0)
PARAMS = tuple(
    Layer(DRAW.standard_normal(shape), DRAW.standard_normal(shape[-1]))
    for shape in NETWORK.weight_shapes
)
RELATIVE = 1e-9
"""The size of the errors that are planted."""


def in_numpy(gradients: ModuleType = impl_numpy.gradients) -> Recording:
    recorder = NumpyRecorder()

    def given(k: int, layer: Layer) -> Layer:
        weight = recorder.given(PARAMETER, f"{k}.weight", layer.weight)
        return Layer(weight, recorder.given(PARAMETER, f"{k}.bias", layer.bias))

    with recorder:
        params = tuple(given(k, layer) for k, layer in enumerate(PARAMS))
        x, y = recorder.given(INPUT, "inputs", INPUTS), recorder.given(INPUT, "targets", TARGETS)
        loss, grads = gradients.value_and_grad(NETWORK, params, x, y)
    return recorder.finished(named(loss, grads))


def in_torch(gradients: ModuleType = impl_torch.gradients, params: Params = PARAMS) -> Recording:
    model = gradients.Model(NETWORK, params)
    x, y = torch.tensor(INPUTS), torch.tensor(TARGETS)
    recorder = TorchRecorder()
    for k, layer in enumerate(model.layers):
        recorder.given(PARAMETER, f"{k}.weight", layer.weight)
        recorder.given(PARAMETER, f"{k}.bias", layer.bias)
    recorder.given(INPUT, "inputs", x)
    recorder.given(INPUT, "targets", y)
    with recorder:
        loss = gradients.LOSSES[NETWORK.loss](model(x)[-1], y)
        loss.backward()
    grads = [Layer(layer.weight.grad, layer.bias.grad) for layer in model.layers]
    return recorder.finished(named(loss, grads))


def in_jax(gradients: ModuleType = impl_jax.gradients) -> Recording:
    def step(params: Any, x: Any, y: Any) -> Any:
        return jax.value_and_grad(lambda p: gradients.loss(NETWORK, p, x, y))(params)

    arguments = [
        jax_recorder.Argument(PARAMETER, PARAMS),
        jax_recorder.Argument(INPUT, INPUTS, "inputs"),
        jax_recorder.Argument(INPUT, TARGETS, "targets"),
    ]
    return jax_recorder.record(step, arguments, ("loss", "gradient"))


def named(loss: Any, grads: Any) -> dict[str, Any]:
    found = {"loss": loss}
    for k, layer in enumerate(grads):
        found |= {f"gradient {k}.weight": layer.weight, f"gradient {k}.bias": layer.bias}
    return found


RECORD: dict[str, Callable[..., Recording]] = {
    "numpy": in_numpy,
    "torch": in_torch,
    "jax": in_jax,
}


@cache
def recording(framework: str) -> Recording:
    return RECORD[framework]()


def place(event: Event) -> str:
    return str(event.source)


# --- What is right agrees -------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "other"), list(combinations(RECORD, 2)))
def test_the_three_implementations_agree_region_by_region(one: str, other: str) -> None:
    found = compare(recording(one), recording(other))
    assert found.verdict == "agree"
    assert {region.verdict for region in found.regions} == {"agree"}
    assert {output.name for output in found.outputs} == set(recording(one).outputs)
    assert all(output.verdict == "agree" and output.informative for output in found.outputs)
    assert not found.own
    assert len(found.regions) >= 27
    assert max(len(r.events_a) + len(r.events_b) for r in found.regions) <= 8


@pytest.mark.parametrize("framework", RECORD)
def test_every_recorded_array_is_what_its_operation_makes(framework: str) -> None:
    events = recording(framework).events
    judgements = list(own("a", recording(framework)))
    assert {one.distance.verdict for one in judgements} == {"agree"}
    assert len(judgements) == sum(event.operation not in LEAVES for event in events)


# --- What is wrong is found where it is -----------------------------------------------------------


def changed(given: Recording, index: int) -> Recording:
    events = list(given.events)
    events[index] = replace(events[index], value=events[index].value * (1 + RELATIVE))
    return replace(given, events=tuple(events))


@pytest.mark.parametrize("framework", RECORD)
@pytest.mark.parametrize("start", range(2))
def test_an_array_that_its_operation_did_not_make_is_found(framework: str, start: int) -> None:
    given = recording(framework)
    made = [event for event in given.events if event.operation not in LEAVES]
    for event in made[start::12]:
        wrong = [o for o in own("b", changed(given, event.index)) if o.distance.verdict != "agree"]
        assert wrong[0].event == event.index
        assert wrong[0].distance.verdict == "disagree"


@pytest.mark.parametrize("framework", RECORD)
def test_a_wrong_array_does_not_agree(framework: str) -> None:
    given = recording(framework)
    found = compare(given, changed(given, given.outputs["gradient 1.weight"]))
    assert found.verdict == "disagree"
    assert {one.side for one in found.own} == {"b"}
    assert not found.divergences  # both compute by the same rules


def test_a_weight_that_is_not_the_same_is_found() -> None:
    first, second, third = PARAMS
    second = second._replace(weight=second.weight * (1 + RELATIVE))
    found = compare(recording("numpy"), in_torch(params=(first, second, third)))
    assert [(r.pair.a, r.pair.b) for r in found.divergences] == [
        (2, 2)
    ]  # 1.weight; all that follows agrees
    assert found.divergences[0].distance.share == math.inf


PLANTS = {
    "numpy": [
        ("layers.py", "z = flat(a, weight) @ weight  # a W", "forward"),
        ("activations.py", "return 1.0 / (1.0 + np.exp(-z))  # σ", "forward"),
        ("losses.py", "d_a = 2.0 * errors / elements  # dL/da", "backward"),
        ("layers.py", "d_a = d_z @ weight.mT  # dL/da", "backward"),
        ("layers.py", "d_weight = flat(a, weight).mT @ d_z  # dL/dW", "backward"),
    ],
    "torch": [
        ("layers.py", "return super().forward(a.flatten(1))  # a W + b", "forward"),
        ("gradients.py", "a = activation(z)  # a", "forward"),
    ],
    "jax": [
        ("gradients.py", "a = ACTIVATIONS[layer.activation](z)  # a", "forward"),
    ],
}


@pytest.mark.parametrize(
    ("framework", "file", "line", "phase"),
    [(framework, *plant) for framework, plants in PLANTS.items() for plant in plants],
)
def test_an_error_in_a_line_is_found_at_the_line(
    framework: str, file: str, line: str, phase: str, tmp_path: Path, monkeypatch: Any
) -> None:
    planted = with_line_changed(framework, file, line, tmp_path, monkeypatch)
    truth = recording("torch" if framework == "jax" else "jax")
    program = RECORD[framework](planted)
    found = compare(truth, program)
    assert found.verdict == "disagree"
    assert not found.own  # each operation is as right as it was
    assert found.first is not None
    lines = {program.events[i].source for i in found.first.events_b}
    marker = line.partition("  # ")[2]
    assert any(s and Path(s.file).name == file and s.text.endswith(f"# {marker}") for s in lines)
    assert program.events[found.first.pair.b].phase == phase


def with_line_changed(
    framework: str, file: str, line: str, folder: Path, monkeypatch: Any
) -> ModuleType:
    """Return `gradients` of a copy of an implementation in which a line's result is a little larger."""
    name = f"planted_{framework}_{abs(hash((file, line)))}"
    for source in (ROOT / f"impl_{framework}").glob("*.py"):
        text = source.read_text()
        if source.name == file:
            assert text.count(line) == 1
            code, _, marker = line.partition("  # ")
            before, separator, result = (
                code.partition(" = ") if " = " in code else ("return", " ", code[7:])
            )
            text = text.replace(
                line, f"{before}{separator}({result}) * (1 + {RELATIVE})  # {marker}"
            )
        (folder / name).mkdir(exist_ok=True)
        (folder / name / source.name).write_text(text)
    monkeypatch.syspath_prepend(folder)
    return __import__(f"{name}.gradients", fromlist=["gradients"])


# --- A transformer and its port -------------------------------------------------------------------

WIDTH, HEADS, LENGTH, BATCH, WORDS = 8, 2, 4, 2, 7


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.norm1(x)
        q, k, v = (self.heads(t) for t in self.qkv(h).chunk(3, -1))
        scores = q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS)
        mask = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
        a = scores.masked_fill(~mask, -math.inf).softmax(-1)
        y = (a @ v).transpose(1, 2).reshape(x.shape)
        x = x + self.out(y)
        f = self.up(self.norm2(x))
        g = functional.gelu(f)
        return x + self.down(g)

    def heads(self, t: torch.Tensor) -> torch.Tensor:
        return t.view(*t.shape[:2], HEADS, -1).transpose(1, 2)


class Model(nn.Module):
    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, WIDTH)
        self.blocks = nn.ModuleList([Block() for _ in range(blocks)])
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.words(ids)
        for block in self.blocks:
            x = block(x)
        return self.norm(x) @ self.words.weight.T


def ported(bug: str) -> Callable[[dict[str, torch.Tensor], torch.Tensor], torch.Tensor]:
    """Return the model as a function of its weights, written another way, with or without a mistake."""

    def norm(p: dict[str, torch.Tensor], at: str, x: torch.Tensor) -> torch.Tensor:
        m = x.mean(-1, keepdim=True)
        var = ((x - m) ** 2).mean(-1, keepdim=True)
        if bug == "unbiased":
            var = var * WIDTH / (WIDTH - 1)
        n = (x - m) / torch.sqrt(var + (1e-6 if bug == "eps" else 1e-5))
        return n * p[f"{at}.weight"] + p[f"{at}.bias"]

    def linear(p: dict[str, torch.Tensor], at: str, x: torch.Tensor) -> torch.Tensor:
        return x @ p[f"{at}.weight"].T + p[f"{at}.bias"]

    def heads(t: torch.Tensor) -> torch.Tensor:
        if bug == "heads":
            return t.reshape(BATCH, LENGTH, -1, HEADS).permute(0, 3, 1, 2)
        return t.reshape(BATCH, LENGTH, HEADS, -1).permute(0, 2, 1, 3)

    def block(p: dict[str, torch.Tensor], at: str, x: torch.Tensor) -> torch.Tensor:
        fused = linear(p, f"{at}.qkv", norm(p, f"{at}.norm1", x))
        q, k, v = (heads(fused[..., i * WIDTH : (i + 1) * WIDTH]) for i in range(3))
        s = torch.einsum("bhqd,bhkd->bhqk", q, k) / math.sqrt(
            WIDTH if bug == "scale" else WIDTH // HEADS
        )
        later = torch.arange(LENGTH)[:, None] < torch.arange(LENGTH)
        s = torch.where(later, -10.0 if bug == "mask" else -math.inf, s)
        a = torch.softmax(s, -2 if bug == "axis" else -1)
        y = torch.einsum("bhqk,bhkd->bqhd", a, v).reshape(x.shape)
        if bug == "stop":
            y = y.detach()
        x = x + linear(p, f"{at}.out", y)
        f = linear(p, f"{at}.up", norm(p, f"{at}.norm2", x))
        g = functional.gelu(f, approximate="tanh" if bug == "gelu" else "none")
        return x + linear(p, f"{at}.down", g)

    def model(p: dict[str, torch.Tensor], ids: torch.Tensor) -> torch.Tensor:
        x = p["words.weight"][ids]
        for k in range(sum(name.endswith(".qkv.bias") for name in p)):
            x = block(p, f"blocks.{k}", x)
        return norm(p, "norm", x) @ p["words.weight"].T

    return model


def transformer(bug: str | None, blocks: int = 1) -> Recording:
    """Record a step of the model, or of its port if a bug is named (`none` is one)."""
    torch.manual_seed(0)
    model = Model(blocks).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    parameters: dict[str, torch.Tensor] = {**dict(model.named_parameters())}
    ids = torch.randint(WORDS, (BATCH, LENGTH))
    direction = torch.randn(BATCH, LENGTH, WORDS, dtype=torch.float64)
    recorder = TorchRecorder()
    for name, weight in parameters.items():
        recorder.given(PARAMETER, name, weight)
    recorder.given(INPUT, "ids", ids)
    recorder.given(INPUT, "direction", direction)
    with recorder:
        output = model(ids) if bug is None else ported(bug)(parameters, ids)
        grads = torch.autograd.grad(
            (output * direction).sum(), list(parameters.values()), allow_unused=True
        )
    found = {f"gradient {n}": g for n, g in zip(parameters, grads, strict=True) if g is not None}
    return recorder.finished({"output": output} | found)


@cache
def compared(bug: str, blocks: int = 1) -> tuple[Recording, Recording, Comparison]:
    one, other = transformer(None, blocks), transformer(bug, blocks)
    return one, other, compare(one, other)


def test_a_right_port_agrees() -> None:
    _, _, found = compared("none")
    assert found.verdict == "agree"
    assert not found.unknown
    assert all(output.informative for output in found.outputs)


@pytest.mark.parametrize(
    ("bug", "line", "in_port", "blocks", "times"),
    [
        ("gelu", "g = functional.gelu(f)", "g = functional.gelu(f, approximate", 2, 2),
        ("scale", "scores = q @ k.transpose(-1, -2)", "s = torch.einsum(", 1, 1),
        ("heads", "scores = q @ k.transpose(-1, -2)", "t.reshape(BATCH, LENGTH, -1, HEADS)", 1, 2),
        ("mask", "a = scores.masked_fill(~mask", "s = torch.where(later", 1, 1),
    ],
)
def test_a_mistake_in_a_port_is_found_at_its_line_and_everywhere(
    bug: str, line: str, in_port: str, blocks: int, times: int
) -> None:
    one, other, found = compared(bug, blocks)
    assert found.verdict == "disagree"
    forward = [r for r in found.divergences if one.events[r.pair.a].phase == "forward"]
    assert len(forward) == times
    first = found.first
    assert first is not None
    assert line in text(one, first.at_a)
    assert any(in_port in text(other, i) for i in first.events_b)


def test_a_gradient_that_does_not_flow_is_found_where_it_stops() -> None:
    one, _, found = compared("stop")
    assert found.verdict == "disagree"
    assert found.first is not None
    assert one.events[found.first.pair.a].phase == "backward"
    assert "self.out(y)" in text(one, found.first.at_a)


def text(given: Recording, event: int) -> str:
    source = given.events[event].source
    return source.text if source else ""


# --- Nothing agrees without evidence --------------------------------------------------------------


@dataclass
class Program:
    """A recording by hand, of NumPy's operations."""

    recorder: Recorder

    @classmethod
    def of(cls, **leaves: np.ndarray) -> Program:
        recorder = Recorder("numpy")
        for name, value in leaves.items():
            recorder.leaf(INPUT, name, value)
        return cls(recorder)

    def __call__(self, operation: str, value: Any, *inputs: int) -> int:
        return self.recorder.call(operation, tuple(map(Ref, inputs)), {}, [value], None)[0]


X = np.random.default_rng(1).standard_normal((3, 4))


def test_an_operation_without_a_rule_abstains_by_its_name() -> None:
    program = Program.of(x=X)
    program("frobnicate", np.exp(X), 0)
    given = program.recorder.finished({"output": 1})
    found = compare(given, given)
    assert found.verdict == "abstain"
    assert found.unknown == ("frobnicate",)
    assert [output.verdict for output in found.outputs] == ["abstain"]


def test_no_output_in_common_is_no_agreement() -> None:
    program = Program.of(x=X)
    program("exp", np.exp(X), 0)
    one, other = (program.recorder.finished({name: 1}) for name in ("here", "there"))
    found = compare(one, other)
    assert found.verdict == "abstain"
    assert found.missing == {"a": ("here",), "b": ("there",)}


def test_an_input_without_a_partner_is_no_agreement() -> None:
    program, other = Program.of(x=X), Program.of(x=X, scale=X[0] + 1)
    for one in (program, other):
        n = len(one.recorder.events)
        one("exp", np.exp(X), 0)
        one.recorder.finished({"output": n})
    found = compare(
        program.recorder.finished({"output": 1}), other.recorder.finished({"output": 2})
    )
    assert found.verdict == "abstain"
    assert found.unpaired == {"a": (), "b": (1,)}
    assert [output.verdict for output in found.outputs] == ["agree"]


@pytest.mark.parametrize("lost", [False, True])
def test_a_fused_weight_and_its_parts_are_partners(lost: bool) -> None:
    fused, x = torch.tensor(np.concatenate([X, 2 * X**3])), torch.tensor(X.T @ X)
    parts = [fused[:3].clone(), fused[3:].clone()]
    recorders = TorchRecorder(), TorchRecorder()
    for recorder, weights in zip(recorders, ([fused], parts[lost:]), strict=True):
        recorder.given(INPUT, "x", x)
        for k, weight in enumerate(weights):
            recorder.given(PARAMETER, f"{len(weights)}.{k}", weight)
    with recorders[0]:
        one = (x @ fused.T)[:, 3:] * 3
    with recorders[1]:
        other = x @ parts[1].T * 3
    found = compare(recorders[0].finished({"y": one}), recorders[1].finished({"y": other}))
    assert [output.verdict for output in found.outputs] == ["agree"]
    assert found.unpaired == {"a": (1,) if lost else (), "b": ()}
    assert found.verdict == ("abstain" if lost else "agree")


def test_numbers_that_are_0_as_far_as_rounding_goes_say_nothing() -> None:
    program = Program.of(x=X)
    centred = X - X.mean()
    program("mean", np.array(X.mean()), 0)
    program("subtract", centred, 0, 1)
    program("sum", np.array(centred.sum()), 2)
    given = program.recorder.finished({"output": 3})
    found = compare(given, given)
    assert [(o.verdict, o.informative) for o in found.outputs] == [("agree", False)]
    assert found.verdict == "abstain"


@pytest.mark.parametrize("wrong", [False, True])
def test_a_gradient_that_is_0_in_truth_is_no_reason_to_abstain(wrong: bool) -> None:
    """A bias in front of a normalisation: both have rounding noise there, one of them perhaps more."""
    found = compare(normalised(False), normalised(True, 1e-6 if wrong else 0.0))
    assert [o.name for o in found.outputs if not o.informative] == ["gradient b"] * (not wrong)
    assert found.verdict == ("disagree" if wrong else "agree")


def normalised(two_passes: bool, excess: float = 0.0) -> Recording:
    recorder = NumpyRecorder()
    with recorder:
        x = recorder.given(PARAMETER, "x", np.random.default_rng(2).standard_normal((32, 4)))
        b = recorder.given(PARAMETER, "b", X[0])
        direction = recorder.given(INPUT, "direction", np.exp(x[::-1].view(np.ndarray)))
        z = x + b
        c = z - z.mean(0)
        v = (c * c).mean(0) if two_passes else (z * z).mean(0) - z.mean(0) ** 2
        s = np.sqrt(v + 1e-5)
        n = c / s
        d_z = (direction - direction.mean(0) - n * (direction * n).mean(0)) / s
        d_b = d_z.sum(0) if not excess else (d_z + excess).sum(0)
    return recorder.finished({"output": n, "gradient x": d_z, "gradient b": d_b})


@pytest.mark.parametrize("factor", [1.0, 1 + RELATIVE])
def test_numbers_that_both_drew_are_taken_as_they_are(factor: float) -> None:
    """Two programs that add the same noise, drawn by each in its own way."""

    def record(in_place: bool, factor: float = 1.0) -> Recording:
        recorder, x = TorchRecorder(), torch.tensor(X)
        torch.manual_seed(0)
        recorder.given(INPUT, "x", x)
        with recorder:
            drawn = torch.empty_like(x).normal_() if in_place else torch.randn_like(x)
            y = torch.exp(x + factor * drawn)
        return recorder.finished({"y": y})

    found = compare(record(False), record(True, factor))
    assert not found.unknown
    assert found.verdict == ("agree" if factor == 1 else "disagree")


def test_another_array_of_the_program_in_the_place_of_its_output_disagrees() -> None:
    """The second returns what the first has, too, on the way: a term of the sum."""
    programs = []
    for whole in (True, False):
        program = Program.of(x=X)
        term = program("exp", np.exp(X), 0)
        out = program("add", np.exp(X) + np.exp(X), term, term) if whole else term
        programs.append(program.recorder.finished({"output": out}))
    assert compare(*programs).verdict == "disagree"


def test_what_a_program_computes_and_does_not_use_is_no_partner() -> None:
    """The right array stands there, too: the wrong one is used, and the line is the one that makes it."""
    recorders = NumpyRecorder(), NumpyRecorder()
    results = []
    for recorder in recorders:
        with recorder:
            x = recorder.given(INPUT, "x", X)
            right = np.tanh(x)
            used = np.tanh(x) if recorder is recorders[0] else np.sin(x)
            results.append((np.exp(used), right))
    one, other = (r.finished({"y": y}) for r, (y, _) in zip(recorders, results, strict=True))
    found = compare(one, other)
    assert found.first is not None
    assert [other.events[i].operation for i in found.first.events_b] == ["sin"]


DOUBLE = Precision.of(np.float64)


@pytest.mark.parametrize(
    ("x", "y", "error", "verdict"),
    [
        ([1.0, 2.0], [1.0, 2.0], [0.0, 0.0], "agree"),
        ([1.0, 2.0], [1.0, 2.25], [0.1, 0.3], "agree"),
        ([1.0, 2.0], [1.0, 2.25], [0.1, 0.2], "disagree"),
        ([1.0, np.nan], [1.0, 1.0], [0.0, 0.1], "disagree"),
        ([1.0, -np.inf], [1.0, -np.inf], [0.0, 0.0], "agree"),
        ([1e-20, 0.0], [-1e-20, 0.0], [1e-16, 1e-16], "abstain"),
        ([1.0, 2.0], [3.0, 2.0], [np.inf, np.inf], "abstain"),
    ],
)
def test_the_bound_decides(x: Any, y: Any, error: Any, verdict: str) -> None:
    assert judged(np.array(x), np.array(y), np.array(error)).verdict == verdict


def test_no_framework_is_imported() -> None:
    code = "import gradparity.tracing.regions, sys; assert not {'torch', 'jax'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
