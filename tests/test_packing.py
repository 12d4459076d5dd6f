"""A recording crosses from one process to another as text and arrays; whatever else comes is refused in one line."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nst

from gradparity.errors import InputError
from gradparity.tracing.packing import Opaque, pack, unpack
from gradparity.tracing.recording import (
    INPUT,
    End,
    Event,
    Recorder,
    Recording,
    Ref,
    Source,
)

EVENTS = 4
LINE = Source("/work/net.py", 3, "forward", "z = x @ w", (3, 4, 9))
DTYPES = st.sampled_from([np.dtype(code) for code in "?bBhHiIlLefdFD"])
FUNCTION = math.hypot


def arrays() -> st.SearchStrategy[Any]:
    return nst.arrays(DTYPES, nst.array_shapes(min_dims=0, min_side=0, max_side=3))


def scalars() -> st.SearchStrategy[Any]:
    return DTYPES.flatmap(lambda dtype: nst.arrays(dtype, ())).map(lambda array: array[()])


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.just(Ellipsis),
    st.just(np.newaxis),
    DTYPES,
    DTYPES.map(lambda dtype: dtype.type),
    st.sampled_from([float, int, bool, complex, str]),
    st.integers(0, EVENTS - 1).map(Ref),
    st.text(max_size=5).map(Opaque),
    arrays(),
    scalars(),
)
ARGUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.builds(slice, inner, inner, inner),
        st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3),
    ),
    max_leaves=8,
)


def recorded(*arguments: Any, **attributes: Any) -> Recording:
    """A recording of leaves and one call with these arguments, two results of which are kept."""
    recorder = Recorder("numpy")
    for index in range(EVENTS):
        recorder.leaf(INPUT, f"x{index}", np.arange(index + 1.0))
    recorder.call("divmod", arguments, attributes, [np.ones((2, 3)), np.float32(2)], LINE)
    recorder.call("mm", (Ref(0),), {}, [np.ones(2)], LINE, formats=["bfloat16"])
    recorder.end(LINE, 1, "a number is taken out")
    recorder.end(None, None, "somewhere")
    return recorder.finished({"loss": EVENTS + 1})


def across(recording: Recording) -> Recording:
    """The recording after it was written to files of text and npz, and read."""
    text, found = pack(recording)
    arrays: Any = found  # to `savez`, names are no arguments
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        return unpack(text, dict(stored))


def alike(a: Any, b: Any) -> bool:
    """Whether two arguments are of the same types and hold the same bits."""
    match a:
        case np.ndarray() | np.generic():
            bits = (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
            return type(a) is type(b) and bits
        case float() | complex():
            return repr(a) == repr(b)
        case list() | tuple():
            return type(a) is type(b) and len(a) == len(b) and all(map(alike, a, b))
        case dict():
            return alike(list(a.items()), list(b.items()))
        case slice():
            return alike((a.start, a.stop, a.step), (b.start, b.stop, b.step))
    return type(a) is type(b) and bool(a == b)


@given(st.lists(ARGUMENTS, max_size=3), st.dictionaries(st.text(max_size=3), ARGUMENTS, max_size=2))
def test_every_argument_comes_back_as_it_was(arguments: list[Any], attributes: Any) -> None:
    sent = Recorder("numpy")
    for index in range(EVENTS):
        sent.leaf(INPUT, f"x{index}", np.arange(index + 1.0))
    sent.call("f", tuple(arguments), attributes, [np.zeros(2)], None)
    event = across(sent.finished({})).events[-1]
    assert alike(event.arguments, tuple(arguments))
    assert alike(dict(event.attributes), attributes)


@given(arrays())
def test_every_value_comes_back_bit_by_bit(value: Any) -> None:
    recorder = Recorder("jax")
    recorder.leaf(INPUT, "x", value)
    (event,) = across(recorder.finished({"loss": 0})).events
    assert alike(event.value, np.array(value))
    assert not event.value.flags.writeable


def test_a_format_that_numpy_does_not_have_crosses_in_float32() -> None:
    recorder = Recorder("jax")
    recorder.leaf(INPUT, "x", np.array([1.5, -0.375]).astype(ml_dtypes.bfloat16))
    (event,) = across(recorder.finished({})).events
    assert alike(event.value, np.array([1.5, -0.375], np.float32))
    assert event.format == "bfloat16"


def test_all_else_that_a_recording_holds_comes_back() -> None:
    sent = recorded(Ref(0), axis=-1)
    came = across(sent)
    assert (came.framework, came.outputs, came.ends) == (sent.framework, sent.outputs, sent.ends)
    fields = ("index", "operation", "source", "phase", "call", "name", "format", "inputs")
    for a, b in zip(sent.events, came.events, strict=True):
        assert [getattr(a, name) for name in fields] == [getattr(b, name) for name in fields]
        assert alike(a.value, b.value)


class Stranger:
    """An object of the program's."""


class Rude:
    def __str__(self) -> str:
        raise RuntimeError("not today")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (FUNCTION, "math.hypot"),
        (Stranger, "tests.test_packing.Stranger"),
        (Stranger(), "tests.test_packing.Stranger"),
        (Rude(), "tests.test_packing.Rude"),
        ({1, 2}, "{1, 2}"),
        (np.array(["a", None], object), "['a' None]"),
    ],
)
def test_of_all_else_the_name_crosses(value: Any, name: str) -> None:
    assert across(recorded(value)).events[EVENTS].arguments == (Opaque(name),)


def damaged(change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> tuple[str, dict[str, Any]]:
    text, found = pack(recorded(Ref(0), np.arange(3.0), axis=-1))
    packed = json.loads(text)
    change(packed, found)
    return json.dumps(packed), found


def argument(value: Any) -> Callable[[dict[str, Any], dict[str, Any]], Any]:
    return lambda packed, _: packed["events"][EVENTS]["arguments"].append(value)


def put(*path: Any, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], Any]:
    def change(packed: Any, _: Any) -> None:
        for key in path[:-1]:
            packed = packed[key]
        packed[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (put("format", value=2), "format"),
        (put("more", value=2), "more"),
        (put("framework", value=None), "framework"),
        (lambda packed, _: packed.pop("ends"), "ends"),
        (put("events", 0, "phase", value="sideways"), "events.0.phase"),
        (put("events", 0, "source", value=7), "there is no source 7"),
        (put("events", 0, "source", value=True), "events.0.source"),
        (put("events", 2, "call", value=1.0), "events.2.call"),
        (put("events", 2, "call", value=0), "event 2 is no result of a call at 0"),
        (put("events", 2, "call", value=3), "event 2 is no result of a call at 3"),
        (put("sources", 0, "span", value=[1, 2]), "sources.0.span"),
        (put("outputs", "loss", value=-1), "there is no event -1"),
        (put("outputs", "loss", value=99), "there is no event 99"),
        (put("ends", 0, "event", value=99), "there is no event 99"),
        (argument({"ref": EVENTS}), "event 4 has an argument that is none: {'ref': 4}"),
        (argument({"ref": -1}), "{'ref': -1}"),
        (argument({"ref": True}), "{'ref': True}"),
        (argument({"ref": 0, "array": "x"}), "argument"),
        (argument({"object": "os.system"}), "{'object': 'os.system'}"),
        (argument({"slice": [1, 2]}), "{'slice': [1, 2]}"),
        (argument({"dict": [[[], 1]]}), "{'dict': [[[], 1]]}"),
        (argument({"dict": [1]}), "{'dict': [1]}"),
        (argument({"float": "1.5"}), "{'float': '1.5'}"),
        (argument({"complex": ["a", 1]}), "{'complex': ['a', 1]}"),
        (argument({"number": ["<f8", "zz"]}), "'zz'"),
        (argument({"number": ["<f8", "00"]}), "'00'"),
        (argument({"number": ["O", "00" * 8]}), "'O'"),
        (argument({"dtype": "O"}), "{'dtype': 'O'}"),
        (argument({"dtype": "what"}), "{'dtype': 'what'}"),
        (argument({"type": "eval"}), "{'type': 'eval'}"),
        (argument({"array": "argument 99"}), "there is no array of numbers 'argument 99'"),
        (lambda _, found: found.pop("event 1"), "there is no array of numbers 'event 1'"),
        (lambda _, found: found.update({"event 1": [1.0]}), "no array of numbers 'event 1'"),
        (lambda _, found: found.update({"event 1": np.array(["x"])}), "no array of numbers"),
        (lambda _, found: found.update({"event 1": np.array([None])}), "no array of numbers"),
    ],
)
def test_what_is_damaged_is_refused(change: Any, says: str) -> None:
    text, found = damaged(change)
    with pytest.raises(InputError) as caught:
        unpack(text, found)
    message = str(caught.value)
    assert message.startswith("the recording is damaged: ")
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '"x"', "[" * 100_000, "NaN", "9" * 5000])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="the recording is damaged"):
        unpack(text, {})


JSON = st.recursive(
    st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=1)
    ),
    max_leaves=4,
)


def refusal(text: str, found: Mapping[str, Any]) -> str:
    """Return why a recording is not unpacked; empty if it is."""
    try:
        unpack(text, found)
    except InputError as error:
        return str(error)
    return ""


@given(JSON)
def test_no_argument_makes_unpacking_fail_otherwise(value: Any) -> None:
    text, found = damaged(argument({"tuple": [value, {"dict": value}, {"slice": value}]}))
    why = refusal(text, found)
    assert not why or why.startswith("the recording is damaged: ")


def test_what_is_no_array_of_numbers_is_not_packed() -> None:
    words: Mapping[str, Any] = {"value": np.array(["a"])}
    event = Event(0, "join", words["value"], (), {}, None, "forward", 0)
    with pytest.raises(InputError, match="`join` cannot be stored: its dtype is <U1"):
        pack(Recording("numpy", (event,), {}, (End(None, None, "x"),)))
