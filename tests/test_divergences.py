"""A mistake in a port is found at its line, and what follows from it is not reported as another one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gradparity.tracing.recording import Recording
from gradparity.tracing.regions import Comparison, compare

from .support.ported import Size, convolutionals, recurrents, transformers

Pair = tuple[Recording, Recording]


def rotary(*mistakes: str) -> Pair:
    return transformers(Size(), *mistakes)


def learned(*mistakes: str) -> Pair:
    return transformers(Size(rotary=False), *mistakes)


@pytest.mark.parametrize("pair", [rotary, learned, convolutionals, recurrents])
def test_a_right_port_agrees(pair: Callable[..., Pair]) -> None:
    found = compare(*pair())
    assert found.verdict == "agree"
    assert not found.divergences
    assert all(output.informative for output in found.outputs if output.name == "loss")


def lines(found: Comparison) -> list[set[str]]:
    events = found.alignment.b.events
    return [
        {source.text for i in (*r.events_b, r.pair.b) if (source := events[i].source) is not None}
        for r in found.divergences
    ]


@pytest.mark.parametrize(
    ("pair", "mistakes", "expected"),
    [
        (rotary, ["eps@blocks.0.norm1"], ["jnp.sqrt(var"]),
        (rotary, ["eps@norm"], ["jnp.sqrt(var"]),
        (rotary, ["unbiased@blocks.0.norm2"], ["var = var * size.width"]),
        (rotary, ["bias@blocks.1.norm1"], ["scaled = n * p"]),
        (rotary, ["residual@blocks.0"], ["return x @ p"]),
        (rotary, ["heads@blocks.0"], ["transpose(0, 3, 1, 2)"]),
        (rotary, ["interleaved@blocks.0"], ["jnp.stack(pair", "jnp.stack(pair"]),
        (convolutionals, ["eps@norm1"], ["jnp.sqrt(var"]),
        (convolutionals, ["leaky"], ["leaky_relu"]),
        (convolutionals, ["eps@norm1", "average"], ["jnp.sqrt(var", "reduce_window(x, 0.0"]),
    ],
)
def test_each_mistake_is_found_once_at_its_line(
    pair: Callable[..., Pair], mistakes: list[str], expected: list[str]
) -> None:
    found = compare(*pair(*mistakes))
    assert found.verdict == "disagree"
    assert len(found.divergences) == len(expected)
    for texts, line in zip(lines(found), expected, strict=True):
        assert any(line in text for text in texts)
    events = found.alignment.a.events
    followers = [r for r in found.regions if r.follows is not None]
    assert followers
    assert {events[r.pair.a].phase for r in followers} == {"backward"}


def test_a_gradient_that_stops_is_one_difference() -> None:
    found = compare(*rotary("stop@blocks.0"))
    assert [found.alignment.a.events[r.pair.a].phase for r in found.divergences] == ["backward"]
    source = found.alignment.a.events[found.divergences[0].at_a].source
    assert source is not None
    assert "self.out(y)" in source.text


def test_a_mistake_in_the_backward_pass_alone_follows_from_nothing() -> None:
    """A wrong ε in the forward pass: the gradient that stops elsewhere is reported beside it."""
    found = compare(*rotary("eps@blocks.0.norm1", "stopg@blocks.1"))
    phases = [found.alignment.a.events[r.pair.a].phase for r in found.divergences]
    assert phases == ["forward", "backward"]
