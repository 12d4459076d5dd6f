"""What is recorded of a program in PyTorch: every array, its operation, line and inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812 -- as everybody names it
from torch.utils.checkpoint import checkpoint

from gradparity.tracing.recording import CONSTANT, INPUT, LEAVES, PARAMETER, Event, Recording
from gradparity.tracing.torch_recorder import TorchRecorder

from .test_torch_rules import Images, Sequences, Transformer


def traced(program: Callable[..., Any], *tensors: Tensor, widened: bool = False) -> Recording:
    with TorchRecorder(widened) as recorder:
        for i, tensor in enumerate(tensors):
            recorder.given(INPUT, f"x{i}", tensor)
        outputs = program(*tensors)
    return recorder.finished(outputs if isinstance(outputs, dict) else {"output": outputs})


def operations(recording: Recording) -> list[str]:
    return [event.operation for event in recording.events if event.operation not in LEAVES]


def the(recording: Recording, operation: str) -> Event:
    (found,) = [event for event in recording.events if event.operation == operation]
    return found


def texts(recording: Recording, phase: str) -> dict[str, str]:
    """Return the text of the line of each operation in a phase."""
    return {
        event.operation.removeprefix("aten."): event.source.text
        for event in recording.events
        if event.phase == phase and event.source is not None
    }


# --- The recording changes nothing ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "dtype"),
    [
        (Transformer, torch.float32),
        (Images, torch.float32),
        (Transformer, torch.float64),
        (Images, torch.float64),
        (Sequences, torch.float64),
    ],
)
def test_a_recorded_program_computes_the_same_bits(
    model: type[nn.Module], dtype: torch.dtype
) -> None:
    def run() -> list[Tensor]:
        torch.manual_seed(0)
        net = model().to(dtype)
        if model is Transformer:
            inputs = torch.randint(0, 11, (2, 5))
        else:
            inputs = torch.randn((2, 3, 8, 8) if model is Images else (2, 3, 4), dtype=dtype)
        y = F.dropout(net(inputs), 0.5)
        (y**2).mean().backward()
        grads = [parameter.grad for parameter in net.parameters()]
        return [y, *grads, *net.buffers(), torch.get_rng_state()]  # type: ignore[list-item]  # all have gradients

    plain = run()
    with TorchRecorder() as recorder:
        recorded = run()
    assert len(recorder.finished({}).events) > 50
    for one, other in zip(plain, recorded, strict=True):
        assert torch.equal(one, other)


def test_an_lstm_in_float32_is_recorded_in_parts_and_nearly_the_same() -> None:
    torch.manual_seed(0)
    net, x = nn.LSTM(4, 3), torch.randn(5, 2, 4)
    recording = traced(lambda x: net(x)[0], x)
    assert "aten.mkldnn_rnn_layer" not in operations(recording)
    assert operations(recording).count("aten.tanh") == 5
    output = recording.events[recording.outputs["output"]].value
    assert np.allclose(output, net(x)[0].detach().numpy(), rtol=1e-5)
    assert torch.backends.mkldnn.is_available() == torch._C._get_mkldnn_enabled()


# --- Arrays and where they come from --------------------------------------------------------------


def test_operations_values_arguments_and_outputs_of_a_layer() -> None:
    x, w = torch.randn(3, 4), torch.randn(5, 4, requires_grad=True)

    with TorchRecorder() as recorder:
        recorder.given(INPUT, "inputs", x)
        recorder.given(PARAMETER, "weight", w)
        loss = F.linear(x, w).sigmoid().sum()
        loss.backward()
    recording = recorder.finished({"loss": loss, "gradient weight": w.grad})  # type: ignore[dict-item]  # it has one

    assert [event.name for event in recording.events[:2]] == ["inputs", "weight"]
    product, activation = the(recording, "aten.sigmoid").inputs[0], the(recording, "aten.sigmoid")
    assert recording.events[product].operation == "aten.mm"
    assert np.array_equal(recording.events[product].value, (x @ w.T).detach().numpy())
    backward = the(recording, "aten.sigmoid_backward")
    assert backward.inputs[1] == activation.index  # autograd hands out another tensor object
    gradient = recording.events[recording.outputs["gradient weight"]]
    assert np.array_equal(gradient.value, w.grad)  # type: ignore[arg-type]  # it has one
    assert {0, 1} <= recording.needed_for([gradient.index])
    assert recording.events[recording.outputs["loss"]].value == loss.item()


def test_a_change_in_place_is_a_new_event_and_reaches_the_views() -> None:
    def program(x: Tensor) -> Tensor:
        y = x * 2
        row = y[1]
        row.add_(1)
        flipped = y.t()
        y.mul_(3)
        return flipped[0] * row[0]

    recording = traced(program, torch.arange(6.0).reshape(2, 3))
    overlays = [event for event in recording.events if event.operation == "overlay"]
    into_y, *into_views = overlays
    assert into_y.value.tolist() == [[0, 2, 4], [7, 9, 11]]
    assert into_y.inputs[1] == the(recording, "aten.add_").index
    assert the(recording, "aten.mul_").inputs == (into_y.index,)
    assert {event.inputs[1] for event in into_views} == {the(recording, "aten.mul_").index}
    assert recording.events[recording.outputs["output"]].value.tolist() == [0, 21 * 21]


def test_an_assignment_through_a_view_is_found_in_the_backward_pass_as_well() -> None:
    def program(x: Tensor) -> dict[str, Tensor]:
        y = x * 1.5
        y[0] = x[1] * 2
        (g,) = torch.autograd.grad((y * y).sum(), x)
        return {"gradient": g}

    recording = traced(program, torch.randn(2, 3, requires_grad=True))
    assert all(event.operation != CONSTANT for event in recording.events)
    assert recording.ends == ()


def test_results_written_to_out_and_into_lists() -> None:
    def program(x: Tensor) -> Tensor:
        y = torch.empty(3)
        torch.exp(x, out=y)
        lists = [y * 1, y * 2]
        torch._foreach_add_(lists, 1)
        return lists[0] + lists[1]

    recording = traced(program, torch.zeros(3))
    assert recording.events[recording.outputs["output"]].value.tolist() == [5, 5, 5]
    assert len([e for e in recording.events if e.operation == "aten._foreach_add_"]) == 2
    assert [len(event.inputs) for event in recording.events if event.operation == "aten.exp"] == [1]


def test_running_statistics_are_events_although_torch_does_not_say_that_they_change() -> None:
    net = nn.BatchNorm1d(3)
    recording = traced(lambda x: net(x) + net.running_mean, torch.randn(4, 3))
    assert recording.ends == ()
    results = [e for e in recording.events if e.operation == "aten.native_batch_norm"]
    assert len(results) == 5
    assert results[3].index in the(recording, "aten.add").inputs


def test_arrays_from_outside_are_constants_with_the_program_s_name() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale: Tensor
            self.register_buffer("scale", torch.tensor(2.0))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.scale + mask

    mask = torch.ones(3)
    recording = traced(Net(), torch.randn(3))
    assert [e.name for e in recording.events if e.operation == CONSTANT] == ["scale", "mask"]


def test_what_is_changed_past_the_recording_is_a_constant_and_an_end() -> None:
    def program(x: Tensor) -> Tensor:
        y = x * 2
        y.numpy()[0] = 7
        return y + 1

    recording = traced(program, torch.zeros(3))
    assert recording.events[recording.outputs["output"]].value.tolist() == [8, 1, 1]
    assert [end.why for end in recording.ends] == [
        "a NumPy array is taken out",
        "its memory is changed past the recording",
    ]
    assert [event.operation for event in recording.events].count(CONSTANT) == 1


torch.library.define("gradparity_tests::thirded", "(Tensor x) -> Tensor")
torch.library.impl("gradparity_tests::thirded", "cpu", lambda x: x / 3)


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (lambda x: x * x.sum().item(), "a number is taken out"),
        (lambda x: x if bool(x.sum() > 0) else -x, "a number is taken out"),
        (lambda x: x * x.tolist()[0], "numbers are taken out"),
        (lambda x: x + torch.tensor(np.asarray(x) + 1), "a NumPy array is taken out"),
        (torch.ops.gradparity_tests.thirded, "an operation that cannot be seen into"),
    ],
)
def test_where_values_leave_the_recording(program: Any, why: str) -> None:
    (end,) = traced(lambda x: program(x + 1), torch.ones(3)).ends
    assert end.why == why
    assert end.event is not None
    assert end.source is not None


def test_memory_that_nothing_wrote_is_recorded_as_zeros() -> None:
    def program(x: Tensor) -> Tensor:
        torch.full((100,), float("nan"))  # freed at once: the next memory is this
        return torch.empty(100) + torch.empty_like(x).sum()

    recording = traced(program, torch.ones(100))
    assert not recording.events[recording.outputs["output"]].value.any()


def test_what_has_no_numbers_is_left_out() -> None:
    def program(x: Tensor) -> Tensor:
        layer = nn.Linear(3, 2, device="meta")
        layer.weight = nn.Parameter(torch.ones(2, 3))
        layer.bias = nn.Parameter(torch.zeros(2))
        return layer(x)

    recording = traced(program, torch.ones(1, 3))
    assert recording.events[recording.outputs["output"]].value.tolist() == [[3, 3]]


def test_half_precision_keeps_its_values() -> None:
    recording = traced(lambda x: x.bfloat16() * 3 + x.half().sum(), torch.tensor([0.1, 0.3]))
    assert the(recording, "aten.mul").value.dtype == np.float32
    assert the(recording, "aten.mul").format == "bfloat16"
    assert the(recording, "aten.sum").value.dtype == np.float16
    assert the(recording, "aten.sum").format == ""


# --- Lines and phases -----------------------------------------------------------------------------


def test_a_backward_operation_has_the_forward_line_of_its_node() -> None:
    def program(x: Tensor) -> Tensor:
        a = x.tanh()
        b = F.softplus(a)
        c = (
            b
            * b.sigmoid()
        )  # fmt: skip
        loss = c.sum()
        loss.backward()
        return loss

    recording = traced(program, torch.randn(3, requires_grad=True))
    assert texts(recording, "forward") | {"detach": ""} == {
        "tanh": "a = x.tanh()",
        "softplus": "b = F.softplus(a)",
        "sigmoid": "* b.sigmoid()",
        "mul": "b",
        "sum": "loss = c.sum()",
        "detach": "",
    }
    backward = texts(recording, "backward")
    assert backward["tanh_backward"] == "a = x.tanh()"
    assert backward["softplus_backward"] == "b = F.softplus(a)"
    assert backward["sigmoid_backward"] == "* b.sigmoid()"
    assert backward["mul"] == "b"
    assert backward["expand"] == "loss = c.sum()"
    assert backward["ones_like"] == "loss.backward()"


def test_lines_after_changes_through_views_whose_nodes_are_made_late() -> None:
    def program(x: Tensor) -> Tensor:
        y = x * 2
        y[0].mul_(3)
        z = y.exp()
        z.sum().backward()
        return z

    backward = texts(traced(program, torch.randn(2, 3, requires_grad=True)), "backward")
    assert backward["as_strided"] == "y[0].mul_(3)"
    assert backward["expand"] == "z.sum().backward()"


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g.mul(2).neg()


doubled: Callable[[Tensor], Tensor] = Doubled.apply


def test_an_own_function_has_its_own_lines() -> None:
    def program(x: Tensor) -> Tensor:
        y = doubled(x).sin()
        y.sum().backward()
        return y

    recording = traced(program, torch.randn(3, requires_grad=True))
    assert texts(recording, "forward")["mul"] == "return x * 2"
    assert texts(recording, "backward")["neg"] == "return g.mul(2).neg()"
    assert texts(recording, "backward")["cos"] == "y = doubled(x).sin()"


def test_a_second_derivative_has_the_forward_lines() -> None:
    def program(x: Tensor) -> Tensor:
        y = x.tanh().sum()
        (g,) = torch.autograd.grad(y, x, create_graph=True)
        (h,) = torch.autograd.grad(g.sum(), x)
        return h

    recording = traced(program, torch.randn(3, requires_grad=True))
    lines = [
        e.source.text for e in recording.events if e.operation == "aten.tanh_backward" and e.source
    ]
    assert set(lines) == {"y = x.tanh().sum()"}


def test_checkpointed_and_shared_modules() -> None:
    layer = nn.Linear(3, 3)

    def block(x: Tensor) -> Tensor:
        return layer(x).tanh()

    def program(x: Tensor) -> Tensor:
        y = checkpoint(block, block(x), use_reentrant=False)
        y.sum().backward()
        return y

    recording = traced(program, torch.randn(2, 3))
    products = [event for event in recording.events if event.operation == "aten.addmm"]
    assert [event.phase for event in products] == ["forward", "forward", "backward"]
    assert {event.source.text for event in products if event.source} == {"return layer(x).tanh()"}
    assert np.array_equal(products[1].value, products[2].value)
    weights = [e for e in recording.events if e.operation == CONSTANT and e.value.shape == (3, 3)]
    assert [event.name for event in weights] == ["weight"]


def test_the_optimizer_s_step_is_the_update() -> None:
    w = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.5)

    def program(x: Tensor) -> Tensor:
        (w * x).sum().backward()
        optimizer.step()
        return w

    recording = traced(program, torch.tensor([1.0, 2.0]))
    assert texts(recording, "update") == {"add_": "optimizer.step()"}
    output = recording.events[recording.outputs["output"]]
    assert output.operation == "aten.add_"
    assert output.value.tolist() == [0.5, 0]


def test_the_caller_may_say_that_the_update_begins() -> None:
    with TorchRecorder() as recorder:
        x = torch.ones(2) * 2
        recorder.phase = "update"
        x -= 1
    recording = recorder.finished({"x": x})
    assert [event.phase for event in recording.events] == ["forward", "forward", "update"]


# --- Ways to run a program ------------------------------------------------------------------------


def test_function_transforms() -> None:
    def program(w: Tensor, x: Tensor) -> Tensor:
        def loss(w: Tensor, x: Tensor) -> Tensor:
            y = w * x
            z = torch.tanh(y)
            return z.exp().sum()

        return torch.func.vmap(torch.func.grad(loss), (None, 0))(w, x)

    recording = traced(program, torch.randn(4), torch.randn(3, 4))
    assert recording.events[recording.outputs["output"]].value.shape == (3, 4)
    backward = texts(recording, "backward")
    assert backward["tanh_backward"] == "z = torch.tanh(y)"
    assert backward["mul"] == "y = w * x"
    assert backward["expand"] == "return z.exp().sum()"


def test_without_gradients_the_same_operations_are_seen() -> None:
    net, x = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), torch.randn(2, 3)

    def under(context: Any) -> list[str]:
        def program(x: Tensor) -> Tensor:
            with context:
                return net(x)

        return [name for name in operations(traced(program, x)) if name != "aten.detach"]

    assert under(torch.no_grad()) == under(torch.inference_mode()) == under(torch.enable_grad())


def test_a_compiled_function_runs_eagerly() -> None:
    @torch.compile(backend="eager")
    def program(x: Tensor) -> Tensor:
        return x.sin() + x.cos()

    recording = traced(program, torch.randn(3))
    assert operations(recording) == ["aten.sin", "aten.cos", "aten.add"]
    assert texts(recording, "forward")["sin"] == "return x.sin() + x.cos()"


# --- Widened --------------------------------------------------------------------------------------


def test_widened_nothing_is_computed_in_float32() -> None:
    def program(x: Tensor) -> Tensor:
        y = x.float().softmax(-1).to(x)
        return y * torch.arange(3) * torch.full((3,), 0.1) * x.new_ones(3, dtype=torch.float32)

    x = torch.randn(2, 3, dtype=torch.float64)
    narrow, wide = traced(program, x), traced(program, x, widened=True)
    exactly = (x.softmax(-1) * torch.arange(3) * 0.1).numpy()

    def error(recording: Recording) -> float:
        return float(np.abs(recording.events[recording.outputs["output"]].value - exactly).max())

    assert {str(event.value.dtype) for event in wide.events} == {"float64", "int64"}
    assert "float32" in {str(event.value.dtype) for event in narrow.events}
    assert error(wide) < np.finfo(np.float64).eps
    assert error(narrow) > 1e-3 * np.finfo(np.float32).eps
    assert torch.get_default_dtype() == torch.float32
