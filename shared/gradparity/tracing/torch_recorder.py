"""Record a program in PyTorch: every ATen operation, forward and backward."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from .recording import CALLER, CONSTANT, OURS, Phase, Recorder, Recording, Ref, Source

_TORCH = str(Path(torch.__file__).parent)
_AUTOGRAD = {f"{_TORCH}/autograd/graph.py", f"{_TORCH}/autograd/__init__.py"}
_OPTIM, _FUNC = f"{_TORCH}/optim/", f"{_TORCH}/_functorch/"

_UNSEEN = {"device", "layout", "pin_memory", "memory_format", "non_blocking", "generator"}
"""Keyword arguments that change no value but where it lies, or are no value (a generator)."""

_SHORTER = {torch.float32, torch.float16, torch.bfloat16}
"""Formats that are taken in float64 when a recording is widened."""

_TAKEN_OUT = {
    Tensor.numpy: "a NumPy array is taken out",
    Tensor.tolist: "numbers are taken out",
    Tensor.__array__: "a NumPy array is taken out",
    Tensor.__dlpack__: "the memory is handed over",
}
"""Methods that read a tensor's memory, past every operation."""

_UNWRITTEN = {
    f"aten.{name}"
    for name in ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided")
}
"""Operations that hand out memory as it is."""

_UNMARKED = dict.fromkeys(
    ("aten.native_batch_norm", "aten.cudnn_batch_norm", "aten.miopen_batch_norm"),
    ("running_mean", "running_var"),
)
"""Arguments that an operation changes although its schema does not say so."""


class TorchRecorder:
    """A context in which every ATen operation is recorded.

    The program's results stay what they are, bit for bit, with one exception: an LSTM in float32 on a CPU, otherwise
    one fused kernel that shows nothing of its inside, runs as its parts. Compiled functions run eagerly.

    Args:
        widened: take what is float32 or shorter inside the program (casts, and arrays that it makes) in float64. Then
            results do change.
    """

    def __init__(self, widened: bool = False) -> None:
        self.widened = widened
        self._recorder = Recorder("torch")
        self._memory = _Memory(self._recorder)
        self._lines = _Lines()
        self._modes = (_Functions(self), _Dispatch(self))
        self._default = torch.get_default_dtype()
        self._paused = False
        self.phase: Phase = "forward"

    def __enter__(self) -> TorchRecorder:
        self._open = ExitStack()
        if self.widened:
            torch.set_default_dtype(torch.float64)
        if "torch._dynamo" in sys.modules:
            self._open.enter_context(torch.compiler.set_stance("force_eager"))
        for mode in self._modes:
            self._open.enter_context(mode)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._open.close()
        if self.widened:
            torch.set_default_dtype(self._default)

    def given(self, operation: str, name: str, tensor: Tensor) -> None:
        """Say that a tensor is an input or a parameter, before anything is computed from it."""
        with self._pause():
            self._memory.leaf(operation, name, tensor)

    def finished(self, outputs: Mapping[str, Tensor]) -> Recording:
        """Return the recording; `outputs` are what the program returned, by name."""
        with self._pause():
            events = {name: self._memory.event(tensor) for name, tensor in outputs.items()}
        return self._recorder.finished(events)

    @contextmanager
    def _pause(self) -> Iterator[None]:
        """Run what the recorder itself computes without recording it."""
        before, self._paused = self._paused, True
        try:
            yield
        finally:
            self._paused = before

    def _taken_out(self, tensor: Tensor, why: str) -> None:
        """Note that a tensor's numbers leave the recording here."""
        with self._pause():
            line = self._lines.current(self.phase)
            self._recorder.end(line.source, self._memory.event(tensor), why)

    def _call(self, function: Any, arguments: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
        """Run an operation and record it."""
        narrowed = ""
        if self.widened:
            narrowed = next(
                (_named(one) for one in tree_leaves((arguments, attributes)) if _short(one)), ""
            )
            arguments, attributes = _widened(arguments), _widened(attributes)
        call = _Call(function, arguments, attributes)
        if self._paused or function.namespace == "profiler" or call.without_values:
            return function(*arguments, **attributes)
        line = self._lines.at(self.phase, call.tensors)
        self._recorder.phase = line.phase
        seen = (
            tuple(map(self._seen, arguments)),
            {key: self._seen(one) for key, one in attributes.items() if key not in call.unseen},
        )

        result = function(*arguments, **attributes)

        if call.operation in _UNWRITTEN:
            result.zero_()  # whatever lay there would differ from run to run
        if not call.tensors and isinstance(result, Tensor):
            seen[1]["dtype"] = self._seen(result.dtype)  # which otherwise hangs on the default
        if call.operation == "aten.as_strided":
            seen[1]["index"] = _Place.of(result).within(_Place.of(call.tensors[0]))
        results = call.results(result)
        values, formats = [to_numpy(one) for one in results], [_format(one) for one in results]
        events = self._recorder.call(
            call.operation, *seen, values, line.source, "", formats, narrowed
        )
        for event, tensor in zip(events, results, strict=True):
            self._memory.made(tensor, event, written=_among(call.changed, tensor))
        if events and function.namespace not in {"aten", "prims"}:
            self._recorder.end(line.source, events[0], "an operation that cannot be seen into")
        if call.tensors and not events and result is not None:
            taken = self._memory.event(call.tensors[0])
            self._recorder.end(line.source, taken, "a number is taken out")
        return result

    def _seen(self, argument: Any) -> Any:
        """Return an argument as the recording keeps it."""
        if isinstance(argument, Tensor):
            return Ref(self._memory.event(argument))
        if isinstance(argument, list | tuple):
            return [self._seen(one) for one in argument]
        if isinstance(argument, torch.dtype):
            return _named(argument)
        if isinstance(argument, torch.SymInt):
            return int(argument)
        if isinstance(argument, bool | int | float | complex | str | None):
            return argument
        return str(argument)


def to_numpy(tensor: Tensor) -> NDArray[Any]:
    """Copy a tensor to NumPy; formats that NumPy has not (bfloat16) become float32."""
    plain = tensor.detach()
    if torch._is_zerotensor(plain):  # autograd's zeros, which take no memory
        plain = torch.zeros(plain.shape, dtype=plain.dtype)
    if plain.layout is not torch.strided:
        plain = plain.to_dense()
    if plain.dtype.is_floating_point and plain.dtype not in _IN_NUMPY:
        plain = plain.float()
    return np.array(plain.numpy(force=True))


def _in_memory(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided and not torch._is_zerotensor(tensor)


def _format(tensor: Tensor) -> str:
    """Return a floating-point format that NumPy has not, by its name."""
    other = tensor.dtype.is_floating_point and tensor.dtype not in _IN_NUMPY
    return str(tensor.dtype).removeprefix("torch.") if other else ""


_IN_NUMPY = {torch.float64, torch.float32, torch.float16}


class _Call:
    """A call of an operation, read with its schema.

    Attributes:
        operation: its name, without that of the overload.
        tensors: the arguments that are tensors.
        changed: those of them whose memory it changes.
        unseen: the keyword arguments that say where a result lies, not what it is.
    """

    def __init__(
        self, function: Any, arguments: Sequence[Any], attributes: Mapping[str, Any]
    ) -> None:
        schema = function._schema.arguments
        self.operation = f"{function.namespace}.{function.overloadpacket.__name__}"
        given = list(zip(schema, arguments, strict=False))
        given += [(one, attributes[one.name]) for one in schema if one.name in attributes]
        unmarked = _UNMARKED.get(self.operation, ())
        self.tensors = _tensors([value for _, value in given])
        self.changed = _tensors(
            [
                value
                for one, value in given
                if one.name in unmarked or (one.alias_info is not None and one.alias_info.is_write)
            ]
        )
        self.unseen = _UNSEEN | {one.name for one in schema if one.is_out}

    @property
    def without_values(self) -> bool:
        """Whether it computes with shapes alone."""
        return any(tensor.is_meta for tensor in self.tensors)

    def results(self, result: Any) -> list[Tensor]:
        """Return the tensors that it made or changed."""
        found = [tensor for tensor in _tensors(result) if not tensor.is_meta]
        return found + [tensor for tensor in self.changed if not _among(found, tensor)]


def _among(tensors: Sequence[Tensor], tensor: Tensor) -> bool:
    return any(tensor is one for one in tensors)


def _tensors(value: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def _widened(value: Any) -> Any:
    return tree_map_only(
        torch.dtype, lambda dtype: torch.float64 if _short(dtype) else dtype, value
    )


def _short(argument: Any) -> bool:
    return isinstance(argument, torch.dtype) and argument in _SHORTER


def _named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


class _Dispatch(TorchDispatchMode):
    def __init__(self, recorder: TorchRecorder) -> None:
        # In torch this function has no annotations, and mypy lets nobody call one that has none.
        super().__init__()  # type: ignore[no-untyped-call]
        self._recorder = recorder

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # it would import all of torch's compiler, which takes seconds

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if torch.is_inference_mode_enabled():  # composite operations arrive whole
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        return self._recorder._call(func, args, kwargs)


class _Functions(TorchFunctionMode):
    def __init__(self, recorder: TorchRecorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self._recorder._paused:
            return func(*args, **kwargs)
        if func in _TAKEN_OUT:
            self._recorder._taken_out(args[0], _TAKEN_OUT[func])
        if func is torch.lstm:
            with _without_fused_lstm():
                return func(*args, **kwargs)
        return func(*args, **kwargs)


@contextmanager
def _without_fused_lstm() -> Iterator[None]:
    before = torch._C._get_mkldnn_enabled()
    torch._C._set_mkldnn_enabled(False)  # torch.backends.mkldnn.flags warns of other settings
    try:
        yield
    finally:
        torch._C._set_mkldnn_enabled(before)


@dataclass(frozen=True)
class _Line:
    """Where the program is; `transformed`: within a function that `torch.func` transforms."""

    source: Source | None
    phase: Phase
    transformed: bool


class _Lines:
    """Finds the program's line: for an operation of a backward pass, the line of the forward operation.

    Autograd numbers the nodes of its graph in the order in which they are made, and makes an operation's node just
    before the operation is dispatched. Whatever nodes an operation makes afterwards (for a change through a view) come
    before the next one's.
    """

    def __init__(self) -> None:
        self._of_node: dict[int, Source | None] = {}
        self._numbered = torch._C._autograd._get_sequence_nr()
        self._last: Source | None = None
        self._last_backward: Source | None = None
        self._sources: dict[tuple[CodeType, int], Source] = {}

    def at(self, phase: Phase, tensors: Sequence[Tensor]) -> _Line:
        """Return the line of an operation that is about to run."""
        line = self.current(phase)
        number = torch._C._autograd._get_sequence_nr()
        own = torch.is_grad_enabled() and (
            any(tensor.requires_grad for tensor in tensors)
            or line.transformed  # the tensors that require gradients are wrapped around these
        )
        for node in range(self._numbered, number):
            self._of_node[node] = line.source if own and node == number - 1 else self._last
        self._numbered, self._last = number, line.source
        return line

    def current(self, phase: Phase) -> _Line:
        """Return the line that is running."""
        node = torch._C._current_autograd_node()
        source = None
        in_engine, transformed = node is not None, False
        for frame in _frames():
            file = frame.f_code.co_filename
            if file == CALLER:
                break
            if file in _AUTOGRAD and frame.f_code.co_name in {
                "_engine_run_backward",
                "_make_grads",
            }:
                in_engine = True
                if source is None:
                    source = self._forward(node)
            elif file.startswith(_OPTIM):
                phase = "update"
            elif file.startswith(_FUNC):
                transformed = True
            elif source is None and not file.startswith((_TORCH, *OURS, "<frozen")):
                source = self._source(frame)
        if in_engine:
            phase = "backward"
            if source is None:  # on a thread of the engine's own
                source = self._forward(node)
            self._last_backward = source
        return _Line(source, phase, transformed)

    def _forward(self, node: Any) -> Source | None:
        """Return the line of a node; between two nodes gradients are added, to which the last one belongs."""
        return self._last_backward if node is None else self._of_node.get(node._sequence_nr())

    def _source(self, frame: FrameType) -> Source:
        key = frame.f_code, frame.f_lasti
        if key not in self._sources:
            self._sources[key] = Source.of(frame)
        return self._sources[key]


def _name(tensor: Tensor) -> str:
    """Return the program's name for a tensor: a module's attribute or a variable; empty if it has none."""
    for frame in _frames():
        if frame.f_code.co_filename.startswith(OURS):
            continue
        variables = list(frame.f_locals.values())
        modules = [one for one in variables if isinstance(one, torch.nn.Module)]
        scopes = [scope for one in modules for scope in (one._buffers, one._parameters, vars(one))]
        program = not frame.f_code.co_filename.startswith(_TORCH)
        for scope in [frame.f_locals, *scopes] if program else scopes:
            for name, value in scope.items():
                if value is tensor:
                    return name
        if program:
            break
    return ""


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


@dataclass(frozen=True)
class _Place:
    """Which elements of a storage a tensor is, in the tensor's order."""

    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: Tensor) -> _Place:
        return cls(int(tensor.storage_offset()), tuple(tensor.shape), tensor.stride(), tensor.dtype)

    def positions(self) -> NDArray[np.int64]:
        """Return each element's position in the storage."""
        found = np.full(self.shape, self.offset, dtype=np.int64)
        for axis, (size, stride) in enumerate(zip(self.shape, self.strides, strict=True)):
            along = [1] * len(self.shape)
            along[axis] = size
            found += np.arange(size).reshape(along) * stride
        return found

    def within(self, other: _Place) -> NDArray[np.int64]:
        """Return each element's flat position in another tensor of the storage, -1 where it is not in it."""
        theirs = other.positions().ravel()
        if not theirs.size:
            return np.full(self.shape, -1)
        order = np.argsort(theirs, kind="stable")
        mine = self.positions()
        at = np.minimum(np.searchsorted(theirs, mine, sorter=order), theirs.size - 1)
        found = order[at]
        return np.where(theirs[found] == mine, found, -1)


@dataclass
class _Storage:
    """What is known of a piece of memory.

    Attributes:
        keep: the storage itself: while it lives, no other gets the same address.
        events: for each tensor in it, the event and how many of the changes its value has.
        changes: what was written into it through one of its tensors, in order.
    """

    keep: torch.UntypedStorage
    events: dict[_Place, tuple[int, int]] = field(default_factory=dict)
    changes: list[tuple[_Place, int]] = field(default_factory=list)


class _Memory:
    """Knows which event each tensor is.

    A tensor is known by its place in memory: autograd hands out other objects for the same tensor. A view that was
    changed changes the tensor that it views, which is found when that is used next.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._storages: dict[int, _Storage] = {}
        self._without: dict[int, tuple[Tensor, int]] = {}

    def leaf(self, operation: str, name: str, tensor: Tensor) -> int:
        """Add an array that nothing recorded made."""
        value, formats = to_numpy(tensor), [_format(tensor)]
        (event,) = self._recorder.call(operation, (), {}, [value], None, name, formats)
        if _in_memory(tensor):
            storage = self._storage(tensor)
            storage.events[_Place.of(tensor)] = event, len(storage.changes)
        else:
            self._without[id(tensor)] = tensor, event
        return event

    def made(self, tensor: Tensor, event: int, written: bool) -> None:
        """Note that a tensor now has the value of an event; `written` if its memory was changed."""
        if not _in_memory(tensor):
            self._without[id(tensor)] = tensor, event
            return
        storage, place = self._storage(tensor), _Place.of(tensor)
        if written:
            storage.changes.append((place, event))
        elif storage.events.get(place, (0, -1))[1] == len(storage.changes):
            return  # another name for a tensor that is known: `detach`
        storage.events[place] = event, len(storage.changes)

    def event(self, tensor: Tensor) -> int:
        """Return the event of a tensor's present value; a constant leaf where nothing recorded made it."""
        if not _in_memory(tensor):
            kept = self._without.get(id(tensor))
            return self.leaf(CONSTANT, _name(tensor), tensor) if kept is None else kept[1]
        storage, place = self._storage(tensor), _Place.of(tensor)
        if place not in storage.events:
            return self.leaf(CONSTANT, _name(tensor), tensor)
        event, seen = storage.events[place]
        for where, changed in storage.changes[seen:]:
            event = self._overlaid(event, place, changed, where)
        storage.events[place] = event, len(storage.changes)
        value = to_numpy(tensor)
        if self._recorder.events[event].value.tobytes() != value.tobytes():
            self._recorder.end(None, event, "its memory is changed past the recording")
            return self.leaf(CONSTANT, "", tensor)
        return event

    def _overlaid(self, event: int, place: _Place, changed: int, where: _Place) -> int:
        """Return the event of a tensor after another tensor of its storage was changed."""
        if where == place:
            return changed
        if where.dtype != place.dtype:
            return event
        index = place.within(where)
        if (index < 0).all():
            return event
        old, new = self._recorder.events[event].value, self._recorder.events[changed].value
        value = np.where(index < 0, old, new.ravel()[index])
        arguments = Ref(event), Ref(changed), index
        source = self._recorder.events[changed].source
        formats = [self._recorder.events[event].format]
        return self._recorder.call("overlay", arguments, {}, [value], source, "", formats)[0]

    def _storage(self, tensor: Tensor) -> _Storage:
        storage = tensor.untyped_storage()
        return self._storages.setdefault(storage._cdata, _Storage(storage))
