"""Whatever a function returns is that target's verdict, and never ends the judge."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, NoReturn

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nst

from gradparity.check.examine import examine
from gradparity.check.loading import wrap
from gradparity.check.target import FUNCTIONS
from gradparity.contract import Snapshot, State, Trajectory
from gradparity.verdict.judge import Verdict


class Evil:
    """Raises whatever is asked of it."""

    def _raise(self, *_: Any) -> NoReturn:
        raise SystemExit(0)

    __array__ = __len__ = __iter__ = __float__ = __repr__ = __getattr__ = _raise


class Loud:
    """An array that is too large, and has a message that no file can take."""

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise MemoryError("\udc80" * 1_000_000)


def endless() -> list[Any]:
    rows: list[Any] = []
    rows.append(rows)
    return rows


ARRAYS = nst.arrays(
    st.sampled_from(["f8", "f4", "f2", "i8", "?", "c16", "U3", "M8[s]"]),
    nst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
    fill=st.nothing(),
    elements=None,
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.just(np.float64("nan")),
    st.just(10**400),
    st.builds(Evil),
    st.builds(Loud),
    st.builds(endless),
    ARRAYS,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.integers(0, 3), st.text(max_size=2)), inner, max_size=3),
    ),
    max_leaves=6,
)
STATES = st.one_of(VALUES, st.builds(State, VALUES, VALUES))
SNAPSHOTS = st.one_of(VALUES, st.builds(Snapshot, VALUES, STATES))
TRAJECTORIES = st.builds(
    Trajectory,
    VALUES,
    VALUES,
    SNAPSHOTS,
    st.one_of(VALUES, st.dictionaries(st.integers(0, 3), SNAPSHOTS, max_size=3)),
    VALUES,
)


@pytest.mark.parametrize("function", FUNCTIONS)
@settings(deadline=None, max_examples=15)
@given(data=st.data())
def test_no_garbage_ends_the_judge(function: str, data: st.DataObject) -> None:
    garbage = data.draw(st.one_of(VALUES, TRAJECTORIES) if function == "train" else VALUES)
    target = wrap("garbage", SimpleNamespace(**{function: lambda *_, **__: garbage}))
    report = examine(target, level="quick")
    assert report.verdict is not Verdict.AGREE
    assert report.headline
    text = json.dumps(report.as_json(), allow_nan=False)
    assert len(text) < 100_000
    "\n".join([report.title, *report.details()]).encode()
