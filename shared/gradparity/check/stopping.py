"""Stop a statement that computes or waits for too long."""

from __future__ import annotations

import signal
import threading
from types import CodeType, FrameType
from typing import Any

WAKE = signal.SIGUSR1 if hasattr(signal, "SIGUSR1") else None
"""The signal by which `supervise` stops a statement that waits: asleep, it uses no CPU time."""

_AGAIN = 0.1
"""Seconds until a statement is stopped again: an `except:` may have taken the exception for one of its own."""


class Stopped(BaseException):
    """A statement was stopped; says after what. Not an Exception, so that `except Exception` does not catch it."""


class Stopwatch:
    """Runs statements, each within a limit of CPU time; after each that was stopped, the limit is halved.

    So all of them together cannot take more than twice the limit. It is CPU time, so that a busy machine changes
    nothing.
    """

    def __init__(self, patience: float | None) -> None:
        self._patience = patience

    def run(self, code: CodeType, namespace: dict[str, Any], *, limited: bool) -> None:
        """Execute code.

        Raises:
            Stopped: it took more CPU time than allowed, or waited until it was sent `WAKE`.
        """
        here = threading.current_thread() is threading.main_thread()
        if self._patience is None or not limited or not here or WAKE is None:
            exec(code, namespace)
            return
        patience = self._patience

        def stop(number: int, frame: FrameType | None) -> None:
            while frame is not None and frame.f_code is not code:
                frame = frame.f_back
            if frame is not None:  # else it has just ended by itself
                busy = number == signal.SIGPROF
                raise Stopped(f"{patience:g} s of CPU time" if busy else "it had waited too long")

        before = {number: signal.signal(number, stop) for number in (signal.SIGPROF, WAKE)}
        signal.setitimer(signal.ITIMER_PROF, patience, _AGAIN)
        try:
            exec(code, namespace)
        except Stopped:
            self._patience = patience / 2
            raise
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            for number, handler in before.items():
                signal.signal(number, handler)
