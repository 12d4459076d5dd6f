"""Look at what a program says of itself: the weights it starts from, its rate, its epochs, its data.

It is read in a copy of the process that ends right after: its classes are constructed there, and its functions called,
without an effect on what is judged.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from ..contract import Dense, Layer, Network, Params
from ..experiments.initial import initial_params
from .copying import in_a_copy
from .reading import as_array
from .target import Target

PATIENCE = 2.0
"""Seconds for the look at a program; one that needs more is not looked at."""

_NUMBERS = 2**16
"""The largest number of entries in an array that is looked at."""
_SAMPLES = 200
"""The largest number of samples in data that are looked at."""
_DEEP = 4
"""How deep lists, dictionaries and objects are followed."""
_MANY = 64
"""How many items of each are followed."""

_WEIGHT = re.compile(
    r"_*(w(\d+|_?[a-z]{1,2}|_\w+)?s?|weights?\w*|theta\d*|syn(apses?)?_?\d*|kernels?\d*)",
    re.IGNORECASE,
)
_BIAS = re.compile(r"_*(b(\d+|_?[a-z]{1,2}|_\w+)?s?|bias\w*)", re.IGNORECASE)
_PAIRS = re.compile(r"_*(params?|parameters|layers?|net(work)?)\d*", re.IGNORECASE)
_NOT_FIRST = re.compile(
    r"^_*[dmvg]_?[wb]\d*|grad|delta|nabla|vel|mom|prev|old|last|best|cache|update|change|sum|avg|mean",
    re.IGNORECASE,
)
"""Arrays shaped as the weights that start at zero with good reason, or are no longer the first ones."""
_RATE = re.compile(r"_*(lr|learning_?rate|l_?rate|rate|eta|alpha|step_?size|step)", re.IGNORECASE)
_EPOCHS = re.compile(r"_*((n|num|max|nb)_?)?(epochs?|iterations?|iters?)", re.IGNORECASE)
_INPUTS = re.compile(r"x(_?train)?|inputs?|training_inputs", re.IGNORECASE)
_LABELS = re.compile(r"y(_?train)?|labels?|targets?|outputs?|training_outputs", re.IGNORECASE)
_THINGS = "(_?(all|params?|parameters|weights|biases|net(work)?|model))*"
_START = re.compile(rf"_*(init|initiali[sz]e|start|make|create|build|new){_THINGS}", re.IGNORECASE)
_DRAW_AGAIN = re.compile(rf"_*(init|initiali[sz]e|reset|randomi[sz]e){_THINGS}", re.IGNORECASE)
_RANDOM = re.compile(r"rand|normal|uniform|xavier|glorot|kaiming|draw|init", re.IGNORECASE)


class Start(NamedTuple):
    """The weights that a program starts from.

    Attributes:
        params: as in the contract, in float64.
        where: where each layer's weight was found, as an expression.
        root: the object that they were found in.
    """

    params: Params
    where: tuple[str, ...]
    root: str

    @property
    def widths(self) -> tuple[int, ...]:
        """The number of inputs, then the units of each layer."""
        return (len(self.params[0].weight), *(layer.weight.shape[1] for layer in self.params))

    @property
    def biased(self) -> tuple[bool, ...]:
        """For each layer, whether it has a bias."""
        return tuple(layer.bias is not None for layer in self.params)

    @property
    def alike(self) -> tuple[int, ...]:
        """The hidden layers, from 0, of several units that are the same: equal weights come in, equal ones go out."""
        return tuple(
            at
            for at, (layer, after) in enumerate(pairwise(self.params))
            if layer.weight.shape[1] > 1
            and all(np.all(tensor == tensor[..., :1]) for tensor in layer if tensor is not None)
            and np.all(after.weight == after.weight[:1])
        )


class Number(NamedTuple):
    """A number that a program says, and where."""

    value: float
    where: str


class Data(NamedTuple):
    """A program's own data.

    Attributes:
        inputs: `(samples, inputs)`.
        targets: `(samples, outputs)`.
        names: what the program calls the two.
        shape: the shape of its labels as it keeps them.
    """

    inputs: np.ndarray
    targets: np.ndarray
    names: tuple[str, str]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Seen:
    """What a program says of itself; None: nothing, or nothing that is clear.

    Attributes:
        start: the weights that it starts from.
        rate: its learning rate.
        epochs: how long it trains.
        data: its data.
        told: the loss that it tells of its own labels: with them as they are, and as `(samples, 1)`.
    """

    start: Start | None = None
    rate: Number | None = None
    epochs: Number | None = None
    data: Data | None = None
    told: tuple[float, float] | None = None

    def as_json(self) -> bytes:
        """Return it as text, which a copy of the process can send."""
        start = self.start and (
            [
                [None if tensor is None else tensor.tolist() for tensor in layer]
                for layer in self.start.params
            ],
            *self.start[1:],
        )
        data = self.data and (self.data.inputs.tolist(), self.data.targets.tolist(), *self.data[2:])
        return json.dumps([start, self.rate, self.epochs, data, self.told]).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Seen:
        """Return what `as_json` turned into text.

        Raises:
            ValueError, TypeError: it is another text.
        """
        start, rate, epochs, data, told = json.loads(text)
        if start:
            layers, where, root = start
            params = (Layer(np.array(w), None if b is None else np.array(b)) for w, b in layers)
            start = Start(tuple(params), tuple(where), root)
        if data:
            inputs, targets, names, shape = data
            data = Data(np.array(inputs), np.array(targets), tuple(names), tuple(shape))
        return cls(
            start or None,
            None if rate is None else Number(*rate),
            None if epochs is None else Number(*epochs),
            data or None,
            told and tuple(told),
        )


def look(target: Target) -> Seen:
    """Return what the target's program says of itself; nothing if it cannot be looked at without harm."""
    if target.registered or target.program is None or not hasattr(os, "fork"):
        return Seen()
    try:
        if _uses_jax(_module(target.program)):
            return _seen(target, call=False)  # what is read needs no copy
        found = in_a_copy(lambda: _seen(target).as_json(), PATIENCE)
        return Seen.from_json(found) if found else Seen()
    except Exception:
        return Seen()


def _uses_jax(module: ModuleType | None) -> bool:
    """Return True if the program's own names are partly JAX's, whose threads a copy of the process does not have."""
    for value in _globals(module).values():
        name = (
            value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
        )
        if str(name).partition(".")[0] in ("jax", "jaxlib"):
            return True
    return False


def _seen(target: Target, *, call: bool = True) -> Seen:
    """Return what is found; with `call`, also in what the program's classes and functions return."""
    program, module = target.program, _module(target.program)
    start = _start(target, module, call=call)
    made = list(_constructed(program, module)) if call else []
    rate = _number(module, program, made, start, _RATE, lambda n: n > 0)
    epochs = _number(module, program, made, start, _EPOCHS, lambda n: n >= 2 and n == int(n))
    if start is not None and start.alike and _drawn_elsewhere(module, start):
        start = None
    widths = start.widths if start else target.limits.widths
    data = _data(module, widths) if widths else None
    told = None
    if call and widths and data:
        with contextlib.suppress(Exception):
            told = _told(target, widths, start, data)
    return Seen(start, rate, epochs, data, told)


def _module(program: Any) -> ModuleType | None:
    """Return the program's module; None for one that was installed."""
    if isinstance(program, ModuleType):
        return program
    found = sys.modules.get(getattr(program, "__module__", None) or type(program).__module__)
    file = getattr(found, "__file__", None)
    return found if file and "site-packages" not in file else None


# --- the weights --------------------------------------------------------------------------------------------------


def _start(target: Target, module: ModuleType | None, *, call: bool) -> Start | None:
    """Return the weights that the program starts from, if there is one answer."""
    if callable(initial := getattr(target.adapter, "initial", None)):
        where = "initial(program)"
        return _in_turn(
            where, list(_leaves(where, initial(target.program), "pairs", _DEEP)), (False,)
        )
    for roots in (*((_constructed, _returned) if call else ()), _existing, _global):
        found = [
            start
            for where, root in roots(target.program, module)
            if (start := _read(where, root, positional=roots is _returned)) is not None
            and (target.limits.widths or start.widths) == start.widths
        ]
        deepest = max((len(one.params) for one in found), default=0)
        found = [one for one in found if len(one.params) == deepest]
        if found:
            return found[0] if all(_same(found[0], one) for one in found) else None
    return None


def _same(one: Start, other: Start) -> bool:
    return one.biased == other.biased and all(
        np.array_equal(a, b)
        for layers in zip(one.params, other.params, strict=True)
        for a, b in zip(*layers, strict=True)
        if a is not None and b is not None
    )


def _constructed(program: Any, module: ModuleType | None) -> Iterator[tuple[str, Any]]:
    """Construct the program's classes with the arguments that its source gives, else without any."""
    classes = [program] if inspect.isclass(program) else _own(module, inspect.isclass)
    for one in classes:
        calls = list(_calls(module, one.__name__))
        if not calls and _needs_nothing(one):
            calls = [ast.Call(ast.Name(one.__name__), [], [])]
        for call in calls:
            with contextlib.suppress(Exception):
                values = [ast.literal_eval(item) for item in call.args]
                made = one(
                    *values, **{str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
                )
                for name, method in inspect.getmembers(made, inspect.ismethod):
                    if _DRAW_AGAIN.fullmatch(name) and _needs_nothing(method):
                        method()
                yield ast.unparse(call), made


def _returned(_: Any, module: ModuleType | None) -> Iterator[tuple[str, Any]]:
    """Call the functions that make weights, by their names, and need no arguments."""
    for one in _own(module, inspect.isfunction):
        if _START.fullmatch(one.__name__) and _needs_nothing(one):
            with contextlib.suppress(Exception):
                yield f"{one.__name__}()", one()


def _existing(program: Any, module: ModuleType | None) -> Iterator[tuple[str, Any]]:
    """Yield instances of the program's own classes."""
    if not (isinstance(program, ModuleType) or inspect.isclass(program) or callable(program)):
        yield "program", program
    classes = tuple(_own(module, inspect.isclass))
    for name, value in _globals(module).items():
        if isinstance(value, classes):
            yield name, value


def _global(_: Any, module: ModuleType | None) -> Iterator[tuple[str, Any]]:
    yield "", _globals(module)


def _globals(module: ModuleType | None) -> dict[str, Any]:
    names = {} if module is None else vars(module)
    return {name: value for name, value in names.items() if not name.startswith("__")}


def _own(module: ModuleType | None, of_kind: Callable[[Any], bool]) -> list[Any]:
    """Return the classes, or functions, that the module defines itself."""
    name = getattr(module, "__name__", None)
    return [one for one in _globals(module).values() if of_kind(one) and one.__module__ == name]


def _needs_nothing(function: Any) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return all(
        p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters
    )


class _Leaf(NamedTuple):
    """An array: where it is, the role that its name gives it, and its value."""

    where: str
    role: str
    value: np.ndarray


def _read(where: str, root: Any, *, positional: bool) -> Start | None:
    """Return the weights in an object, a dictionary, or a list."""
    leaves = list(_leaves(where, root, "pairs" if positional else "", _DEEP))
    weights = [one for one in leaves if one.role == "weight"]
    biases = [one for one in leaves if one.role == "bias"]
    if weights:
        return _chain(where, weights, biases)
    return _in_turn(where, [one for one in leaves if one.role == "pairs"], (False, True))


def _in_turn(root: str, leaves: Sequence[_Leaf], transposed: Sequence[bool]) -> Start | None:
    """Read arrays without names: weights alone, or each before its bias."""
    return _chain(root, leaves, [], transposed) or _chain(
        root, leaves[::2], leaves[1::2], transposed
    )


def _leaves(where: str, value: Any, role: str, deep: int) -> Iterator[_Leaf]:
    """Yield the arrays of one or two axes in an object; `role` is the one that the name so far gives."""
    if (
        deep < 0
        or value is None
        or isinstance(value, str | bytes | ModuleType)
        or inspect.isclass(value)
    ):
        return
    if (array := _numbers(value)) is not None:
        if role and array.ndim in (1, 2):
            yield _Leaf(where, role, array)
        return
    if isinstance(value, list | tuple):
        for at, item in enumerate(value[:_MANY]):
            yield from _leaves(f"{where}[{at}]", item, role, deep - 1)
        return
    for name, expression, item in _members(where, value):
        own = _role(name)
        if own != "none":
            yield from _leaves(expression, item, own or role, deep - 1)


def _members(where: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield what an object or a dictionary consists of: the name, the expression, and the value."""
    if isinstance(value, Mapping):
        for key, item in list(value.items())[: None if not where else _MANY]:
            if isinstance(key, str | int):
                yield str(key), f"{where}[{key!r}]" if where else str(key), item
    elif callable(named := getattr(value, "named_parameters", None)):  # a torch.nn.Module
        for path, item in named():
            yield path.rpartition(".")[2], f"{where}.{path}", item
    elif type(value).__module__ not in sys.stdlib_module_names and hasattr(value, "__dict__"):
        for name, item in list(vars(value).items())[:_MANY]:
            yield name, f"{where}.{name}", item


def _role(name: str) -> str:
    """Return what a name stands for; "" if it says nothing, "none" if it is another thing's."""
    if _NOT_FIRST.search(name):
        return "none"
    for role, pattern in (("weight", _WEIGHT), ("bias", _BIAS), ("pairs", _PAIRS)):
        if pattern.fullmatch(name):
            return role
    return ""


def _numbers(value: Any) -> np.ndarray | None:
    """Return an array, or a list or table of numbers, in float64; None for anything else."""
    if isinstance(value, list | tuple):
        rows = value if value and all(isinstance(row, list | tuple) for row in value) else [value]
        if not all(
            row and all(isinstance(n, int | float | np.number) for n in row) for row in rows
        ):
            return None
        if len({len(row) for row in rows}) != 1:
            return None
    elif not hasattr(value, "shape"):
        return None
    array = as_array(value)
    if array.dtype.kind not in "fiu" or not 0 < array.size <= _NUMBERS:
        return None
    array = np.array(array, dtype=np.float64)
    return array if np.all(np.isfinite(array)) else None


def _chain(
    root: str,
    weights: Sequence[_Leaf],
    biases: Sequence[_Leaf],
    transposed: Sequence[bool] = (False, True),
) -> Start | None:
    """Return the layers if weights and biases fit each other in exactly one way."""
    if not weights or any(one.value.ndim != 2 for one in weights):
        return None
    ways = []
    for swap in transposed:
        matrices = [one.value.T if swap else one.value for one in weights]
        sizes = [matrix.shape[1] for matrix in matrices]
        fit = all(a.shape[1] == b.shape[0] for a, b in pairwise(matrices))
        if fit and (not biases or [one.value.size for one in biases] == sizes):
            rows: Sequence[Any] = [one.value.ravel() for one in biases] or [None] * len(matrices)
            layers = tuple(Layer(w.copy(), b) for w, b in zip(matrices, rows, strict=True))
            ways.append(Start(layers, tuple(one.where for one in weights), root))
    return ways[0] if len(ways) == 1 else None


# --- the source -----------------------------------------------------------------------------------------------------


def _tree(module: ModuleType | None) -> ast.AST:
    """Return the module's source; an empty one if there is none."""
    try:
        return ast.parse(inspect.getsource(module)) if module is not None else ast.Module([], [])
    except (OSError, TypeError, SyntaxError):
        return ast.Module([], [])


def _calls(module: ModuleType | None, function: str) -> Iterator[ast.Call]:
    """Yield the calls of a function, method or class of this name in the module's source."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Call) and function == getattr(
            node.func, "id", getattr(node.func, "attr", None)
        ):
            yield node


def _drawn_elsewhere(module: ModuleType | None, start: Start) -> bool:
    """Return True if the source also draws these weights outside a constructor, so that they may not be the first."""
    names = {name for where in start.where for name in re.findall(r"[A-Za-z_]\w*", where)}
    tree = _tree(module)
    constructors = [
        n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "__init__"
    ]
    inside = {id(node) for one in constructors for node in ast.walk(one)}
    return any(
        names & {name for target in node.targets for name in _identifiers(target)}
        and any(map(_RANDOM.search, _identifiers(node.value)))
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and id(node) not in inside
    )


def _identifiers(node: ast.AST) -> set[str]:
    found = list(ast.walk(node))
    names = {one.id for one in found if isinstance(one, ast.Name)}
    return names | {one.attr for one in found if isinstance(one, ast.Attribute)}


# --- the rate, the epochs, the data ---------------------------------------------------------------------------------


def _number(
    module: ModuleType | None,
    program: Any,
    made: Sequence[tuple[str, Any]],
    start: Start | None,
    name: re.Pattern[str],
    allowed: Callable[[float], bool],
) -> Number | None:
    """Return the number of such a name: an attribute, else a global, else an argument; None if there are several."""
    owners = [*made, *_existing(program, module)]
    kinds = [type(owner) for where, owner in owners if start is not None and where == start.root]
    of_start = [(where, owner) for where, owner in owners if type(owner) in kinds]
    attributes = [
        (f"{where}.{key}", value)
        for where, owner in of_start or owners
        for key, value in getattr(owner, "__dict__", {}).items()
        if name.fullmatch(key)
    ]
    globals_ = [(key, value) for key, value in _globals(module).items() if name.fullmatch(key)]
    for named in (attributes, globals_, list(_arguments(module, name))):
        numbers = [
            Number(float(value), where)
            for where, value in named
            if isinstance(value, int | float | np.number) and not isinstance(value, bool)
        ]
        if numbers:
            clear = len({one.value for one in numbers}) == 1 and allowed(numbers[0].value)
            return numbers[0] if clear else None
    return None


def _arguments(module: ModuleType | None, name: re.Pattern[str]) -> Iterator[tuple[str, Any]]:
    """Yield what functions get for an argument of such a name: from the calls in the source, or by default."""
    functions = [(one.__name__, one) for one in _own(module, inspect.isfunction)]
    for one in _own(module, inspect.isclass):
        methods = [
            (key, f) for key, f in vars(one).items() if inspect.isfunction(f) and key != "__init__"
        ]
        functions += [(f"{one.__name__}.{key}", f) for key, f in methods]
    for where, function in functions:
        parameters = list(inspect.signature(function).parameters.values())
        positions = [p.name for p in parameters if p.name != "self"]
        for parameter in parameters:
            if name.fullmatch(parameter.name):
                calls = list(_calls(module, function.__name__))
                for value in [_passed(call, parameter, positions) for call in calls] or [
                    parameter.default
                ]:
                    yield f"{where}({parameter.name}={value!r})", value


def _passed(call: ast.Call, parameter: inspect.Parameter, positions: Sequence[str]) -> Any:
    """Return what a call passes for a parameter; NaN if that is not written in the source as a number."""
    given = {k.arg: k.value for k in call.keywords}
    at = positions.index(parameter.name)
    value = given.get(parameter.name, call.args[at] if at < len(call.args) else None)
    if value is None:
        return parameter.default
    try:
        return ast.literal_eval(value)
    except ValueError:
        return float("nan")


def _data(module: ModuleType | None, widths: Sequence[int]) -> Data | None:
    """Return the module's inputs and labels if there is one pair of them, of the network's size."""
    names = _globals(module)
    found = []
    for x_name in filter(_INPUTS.fullmatch, names):
        for y_name in filter(_LABELS.fullmatch, names):
            x, y = _numbers(names[x_name]), _numbers(names[y_name])
            if x is None or y is None or x.ndim != 2 or y.ndim > 2:
                continue
            shape = y.shape
            if x.shape[1] != widths[0] and x.shape[0] == widths[0]:  # samples are columns
                x, y = x.T, y.T
            if (
                x.shape[1] == widths[0]
                and len(y) == len(x) <= _SAMPLES
                and y.size == len(x) * widths[-1]
            ):
                found.append(Data(x, y.reshape(len(x), -1), (x_name, y_name), shape))
    return found[0] if len(found) == 1 and len(found[0].inputs) > 1 else None


def _told(
    target: Target, widths: Sequence[int], start: Start | None, data: Data
) -> tuple[float, float] | None:
    """Return the losses for labels (samples,) and for labels (samples, 1); None unless it can be asked for both."""
    ask = target.functions.get("loss") or target.functions.get("loss_and_grads")
    if len(data.shape) != 1 or ask is None:
        return None
    biases = start.biased if start else target.limits.biases or (True,)
    if len(biases) == 1:
        biases = biases * (len(widths) - 1)
    layers = tuple(Dense(n, bias=bias) for n, bias in zip(widths[1:], biases, strict=True))
    network = Network((widths[0],), layers)
    params = initial_params(network, "standard_normal", seed=0, dtype="float64")
    losses = []
    for targets in (data.targets[:, 0], data.targets):
        result = ask(network, params, data.inputs.copy(), targets.copy())
        losses.append(float(as_array(result[0] if isinstance(result, tuple | list) else result)))
    return losses[0], losses[1]
