"""The seconds that compiling takes: JAX compiles a function in its first call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jax import monitoring


@contextmanager
def compile_clock() -> Iterator[list[float]]:
    """Collect the seconds that JAX reports for tracing, lowering and compiling."""
    seconds: list[float] = []

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event.startswith("/jax/core/compile/"):
            seconds.append(duration_secs)

    monitoring.register_event_duration_secs_listener(listen)
    try:
        yield seconds
    finally:
        monitoring.unregister_event_duration_listener(listen)
