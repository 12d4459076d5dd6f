"""Make sure that a command which did not finish does not end with exit code 0.

`run` and `report` call implementations in their own process, where `os._exit(0)` would end the command like success. So
the command runs in a child process, which says with which code it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

_UNFINISHED = 2
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG in <linux/prctl.h>
_PASSED_ON = (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM))


def guarded(run: Callable[[], None]) -> None:
    """Call `run` in a forked process, and end with the exit code that it ends with; without fork, just call it."""
    if not hasattr(os, "fork"):
        run()
        return
    reading, writing = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child:
        os.close(writing)
        _wait_for(child, reading)
    os.close(reading)
    _end_with(parent)
    try:
        run()
        code: Any = 0
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # shown by Python, as without a guard
        os.write(writing, b"1")
        raise
    if not isinstance(code, int):
        code = 0 if code is None else 1
    os.write(writing, str(code).encode())
    sys.exit(code)


def _wait_for(child: int, reading: int) -> NoReturn:
    """Wait until the child ends; end in the same way."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the child, too
    for number in _PASSED_ON:
        signal.signal(number, lambda received, _: _pass_on(received, child))
    _, status = os.waitpid(child, 0)
    os.set_blocking(reading, False)  # what the child has started may still hold the pipe
    try:
        told = os.read(reading, 16)
    except BlockingIOError:
        told = b""
    if told:
        sys.exit(int(told))
    if os.WIFSIGNALED(status):
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    sys.stderr.write(
        "error: the command did not finish: an implementation ended its process "
        f"(status {os.waitstatus_to_exitcode(status)})\n"
    )
    sys.exit(_UNFINISHED)


def _pass_on(number: int, child: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended
        os.kill(child, number)


def _end_with(parent: int) -> None:
    """End this process when its parent is killed, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(_UNFINISHED)
