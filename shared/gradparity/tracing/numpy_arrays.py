"""NumPy's arrays and numbers as types of our own, which hand everything that is done with them to a recorder."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .numpy_memory import Place

_KINDS = "biufc"
"""The kinds of dtypes that are recorded: truth values, integers, floating and complex numbers."""

SPECIAL = (np.ma.MaskedArray, np.matrix, np.recarray)
"""Arrays with operations of their own: they are left to the program."""


class Listener:
    """What arrays tell of what is done with them. This one records nothing; a recorder does."""

    def run(
        self,
        operation: str,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        attributes: Mapping[str, Any] | None = None,
        *,
        changes: Any = None,
        noted: tuple[Any, ...] | None = None,
    ) -> Any:
        """Call a function with plain arguments, and return its results, recorded.

        Args:
            operation: its name in the recording.
            function: the function.
            arguments: its arguments.
            attributes: its keyword arguments.
            changes: the array that it changes in place; it returns nothing then.
            noted: the arguments in the recording, if they are others.
        """
        return function(*plain(arguments), **plain(dict(attributes or {})))

    def new(self, value: np.ndarray[Any, Any]) -> Any:
        """Return an array that nothing recorded made, as a recorded one."""
        return value

    def taken_out(self, value: Any, why: str = "a number is taken out") -> None:
        """Note that a value leaves the recording."""

    def listens_to(self, file: str) -> bool:
        """Return True if what this file does is recorded now."""
        return False

    def wide(
        self, operation: str, arguments: tuple[Any, ...], keywords: Mapping[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return an operation's arguments with the dtypes in which the program is to compute."""
        return arguments, dict(keywords)


class Tracked:
    """What recorded arrays and numbers have in common.

    Attributes:
        listener: the recorder.
        event: the event whose value it is; None: it is still to be found.
    """

    listener = Listener()
    event: int | None = None

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
        changes = inputs[0] if method == "at" else None
        return self.listener.run(name, getattr(ufunc, method), inputs, kwargs, changes=changes)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return called(self.listener, func, args, kwargs)

    def __bool__(self) -> bool:
        self.listener.taken_out(self, "the program's course depends on it")
        return bool(plain(self))

    def __float__(self) -> float:
        self.listener.taken_out(self)
        return float(plain(self))

    def __int__(self) -> int:
        self.listener.taken_out(self)
        return int(plain(self))

    def __index__(self) -> int:
        self.listener.taken_out(self)
        return operator.index(plain(self))

    def __complex__(self) -> complex:
        self.listener.taken_out(self)
        return complex(plain(self))

    def __repr__(self) -> str:
        return repr(plain(self))

    def __str__(self) -> str:
        return str(plain(self))

    def __format__(self, specification: str) -> str:
        return format(plain(self), specification)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return plain(self).__reduce_ex__(protocol)

    def item(self, *index: Any) -> Any:
        """Return an element as a number of Python's; one index counts through all axes."""
        several = len(index) > 1 or isinstance((*index, 0)[0], tuple)
        noted = (self, index if len(index) > 1 else (*index, 0)[0])
        function = operator.methodcaller("item", *plain(index))
        name = "getitem" if several else "take"
        return self.listener.run(name, function, (self,), noted=noted)

    @property
    def T(self) -> Any:
        """The array with its axes reversed."""
        return self.listener.run("transpose", operator.attrgetter("T"), (self,))

    @property
    def flat(self) -> Any:
        """The elements one by one; they are not recorded."""
        self.listener.taken_out(self, "its elements are taken one by one")
        return plain(self).flat


class Recorded(Tracked, np.ndarray[Any, Any]):
    """A recorded array."""

    def __array_finalize__(self, of: Any) -> None:
        if isinstance(of, Recorded):
            self.listener = of.listener

    def __getitem__(self, index: Any) -> Any:
        return self.listener.run("getitem", operator.getitem, (self, index))

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, Recorded) and np.may_share_memory(plain(self), plain(value)):
            at_index = plain(self)[plain(index)]
            if isinstance(at_index, np.ndarray) and Place.of(at_index) == Place.of(plain(value)):
                return  # the end of `x[index] += y`: what was added is already there
        self.listener.run("setitem", operator.setitem, (self, index, value), changes=self)

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            return iter(plain(self))
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        self.listener.taken_out(self, "the program's course depends on it")
        return plain(value) in plain(self)

    def view(self, *kind: Any, **keywords: Any) -> Any:
        """Return the same memory as another array, as NumPy does."""
        found = super().view(*kind, **keywords)
        if isinstance(found, SPECIAL):
            self.listener.taken_out(self, f"it becomes an array of type {type(found).__name__}")
        return found

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    @property
    def mT(self) -> Any:
        """The array with its last two axes exchanged."""
        return self.listener.run("matrix_transpose", operator.attrgetter("mT"), (self,))


class Number(Tracked):
    """A recorded number: NumPy returns numbers of its own types instead of arrays without axes.

    Attributes:
        plain: the number.
    """

    plain: Any
    event: int

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self

    def __hash__(self) -> int:
        return hash(self.plain)

    def __round__(self, digits: Any = None) -> Any:
        if digits is None:
            self.listener.taken_out(self)
            return round(self.plain)
        return self.listener.run("round", round, (self, digits))


def plain(value: Any) -> Any:
    """Return an argument with every recorded array and number as NumPy's own."""
    found = value
    if isinstance(value, Recorded):
        found = np.ndarray.view(value, np.ndarray)
    elif isinstance(value, Number):
        found = value.plain
    elif isinstance(value, list) and type(value) is list:
        found = [plain(one) for one in value]
    elif isinstance(value, tuple):
        parts = [plain(one) for one in value]
        found = type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    elif isinstance(value, dict) and type(value) is dict:
        found = {key: plain(one) for key, one in value.items()}
    elif isinstance(value, slice):
        found = slice(plain(value.start), plain(value.stop), plain(value.step))
    return found


def numeric(value: Any) -> bool:
    """Return True for an array or a number that can be recorded."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in _KINDS and not isinstance(value, SPECIAL)
    return type(value) is float or (isinstance(value, np.generic) and value.dtype.kind in _KINDS)


def number(value: Any, listener: Listener, event: int) -> Any:
    """Return a number as a recorded one; truth values remain what they are, since nothing can be derived from them."""
    kind = _NUMBERS.get(type(value))
    if kind is None:
        return value
    found = kind(value)
    found.plain, found.listener, found.event = value, listener, event
    return found


def array(value: np.ndarray[Any, Any], listener: Listener, event: int | None) -> Recorded:
    """Return an array as a recorded one, with the same memory."""
    found = np.ndarray.view(value, Recorded)
    found.listener, found.event = listener, event
    return found


def called(listener: Listener, function: Any, arguments: Any, keywords: Mapping[str, Any]) -> Any:
    """Call a function of NumPy, recorded."""
    if function is _EMPTY_LIKE:  # whatever the memory holds is made of nothing
        return listener.new(function(*plain(tuple(arguments)), **plain(dict(keywords))))
    changes = (*arguments, *keywords.values())[0] if function in _CHANGING_FUNCTIONS else None
    module = (getattr(function, "__module__", None) or "").removeprefix("numpy.")
    name = f"{module}." * (module in {"linalg", "fft"}) + function.__name__
    return listener.run(name, function, tuple(arguments), keywords, changes=changes)


_EMPTY_LIKE = np.empty_like
_CHANGING_FUNCTIONS: set[Any] = {
    np.copyto,
    np.put,
    np.place,
    np.putmask,
    np.put_along_axis,
    np.fill_diagonal,
}
"""Functions that change their first argument."""


# Methods and operators, under the names of NumPy's functions.

_NAMES = {
    "conj": "conjugate",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "left_shift",
    "rshift": "right_shift",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
    "neg": "negative",
    "pos": "positive",
    "abs": "absolute",
}
"""Methods and operators whose function has another name."""

_CHANGING_METHODS = ("fill", "partition", "put", "sort")
_METHODS = (
    *("all", "any", "argmax", "argmin", "argpartition", "argsort", "astype", "choose", "clip"),
    *("compress", "conj", "conjugate", "copy", "cumprod", "cumsum", "diagonal", "dot", "flatten"),
    *("max", "mean", "min", "nonzero", "prod", "ravel", "repeat", "reshape", "round"),
    *("searchsorted", "squeeze", "std", "sum", "swapaxes", "take", "trace", "transpose", "var"),
)
_LEAVING_METHODS = ("tolist", "tobytes", "dump", "dumps", "tofile")
_BINARY = (
    *("add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "pow", "matmul"),
    *("and", "or", "xor", "lshift", "rshift"),
)
_COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
_UNARY = ("neg", "pos", "abs", "invert")


def _order(name: str, array: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a method's arguments as the function of the same name takes them."""
    if name in {"reshape", "transpose"} and len(arguments) > 1:
        return (array, arguments)
    if name == "compress" and arguments:
        return (arguments[0], array, *arguments[1:])
    return (array, *arguments)


def _method(name: str) -> Callable[..., Any]:
    changing = name in _CHANGING_METHODS

    def call(array: Any, *arguments: Any, **keywords: Any) -> Any:
        return getattr(array, name)(*arguments, **keywords)

    def method(self: Any, *arguments: Any, **keywords: Any) -> Any:
        return self.listener.run(
            _NAMES.get(name, name),
            call,
            (self, *arguments),
            keywords,
            changes=self if changing else None,
            noted=_order(name, self, arguments),
        )

    return method


def _part(name: str, settable: bool) -> property:
    """Return the real or imaginary part as a property; what is written into it is not recorded."""

    def get(self: Any) -> Any:
        return self.listener.run(name, operator.attrgetter(name), (self,))

    def put(self: Any, value: Any) -> None:
        setattr(plain(self), name, plain(value))

    return property(get, put if settable else None)


def _leaving(name: str) -> Callable[..., Any]:
    def method(self: Any, *arguments: Any, **keywords: Any) -> Any:
        self.listener.taken_out(self, f"`{name}` takes its numbers out")
        return getattr(plain(self), name)(*arguments, **keywords)

    return method


def _function_of(operator_name: str) -> Callable[..., Any]:
    if operator_name == "divmod":
        return divmod
    return getattr(operator, f"__{operator_name}__")


def _operator(name: str) -> Callable[..., Any]:
    function, operation = _function_of(name), _NAMES.get(name, name)

    def method(self: Any, *others: Any) -> Any:
        return self.listener.run(operation, function, (self, *others))

    return method


def _reflected(name: str) -> Callable[..., Any]:
    function, operation = _function_of(name), _NAMES.get(name, name)

    def method(self: Any, other: Any) -> Any:
        return self.listener.run(operation, function, (other, self))

    return method


def _beside_special(name: str) -> Callable[..., Any]:
    """Return an operator that leaves matrices and masked arrays their own; all others reach the array as functions."""
    function, inherited = _function_of(name), getattr(np.ndarray, f"__{name}__")

    def method(self: Any, other: Any) -> Any:
        if isinstance(other, SPECIAL):
            self.listener.taken_out(self, f"it meets an array of type {type(other).__name__}")
            return function(plain(self), other)
        return inherited(self, other)

    return method


for _one in (*_METHODS, *_CHANGING_METHODS):
    setattr(Recorded, _one, _method(_one))
for _one in _METHODS:
    setattr(Number, _one, _method(_one))
for _one in ("real", "imag"):
    setattr(Recorded, _one, _part(_one, settable=True))
    setattr(Number, _one, _part(_one, settable=False))
for _one in _LEAVING_METHODS:
    setattr(Tracked, _one, _leaving(_one))
for _one in (*_BINARY, *_COMPARISONS, *_UNARY):
    setattr(Number, f"__{_one}__", _operator(_one))
for _one in _BINARY:
    setattr(Number, f"__r{_one}__", _reflected(_one))
for _one in (*_BINARY, *_COMPARISONS):
    setattr(Recorded, f"__{_one}__", _beside_special(_one))


_PROTOCOL = {"__array_ufunc__", "__array_function__", "__copy__", "__deepcopy__"}


def _derived(kind: type) -> type:
    """Return a number type's recorded subclass.

    The first base must be the type, or NumPy does not know its numbers; so ours are copied in front of it, as far as
    the type has them.
    """
    ours = dict(vars(Tracked)) | dict(vars(Number))
    methods = {name: one for name, one in ours.items() if name in _PROTOCOL or hasattr(kind, name)}
    for name in ("__dict__", "__weakref__", "__module__", "__doc__", "__new__", "__init__"):
        methods.pop(name, None)
    return type(kind.__name__, (kind, Number), methods)


_TYPES: set[type] = {float, *(np.dtype(code).type for code in "bBhHiIlLqQefdgFDG")}

_NUMBERS: dict[type, Any] = {kind: _derived(kind) for kind in _TYPES}
