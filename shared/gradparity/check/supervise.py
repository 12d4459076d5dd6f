"""Run a worker on a target in a separate process, within limits, and take its answer.

The limits are on CPU time and on time asleep, not on time by the clock, so that a busy machine changes no verdict. What
the process prints goes through a pipe, and only the end of it is kept.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..processes import ONE_THREAD
from .stopping import WAKE

_KEPT = 65536
"""Bytes that are kept from the end of a target's output while it runs."""

_SHOWN = 2000
"""Characters of them that are returned."""

_TICK = 0.1
"""Seconds between looks at a process."""

_SHOWS_SLEEP = Path("/proc/self/task").is_dir()
_BACKSTOP = 20
"""Limit by the clock, in CPU time limits, on a system that does not show whether a process sleeps."""

_MARK = "GRADPARITY_CHECK"
"""The environment variable by which everything that a target started is found."""

_ENVIRONMENT = {
    **ONE_THREAD,
    "MPLBACKEND": "Agg",  # plots are not shown
    "JAX_ENABLE_X64": "1",
}

# With `-P`, and the user's folders at the end: a random.py of theirs must not replace Python's own.
_START = (
    "import ctypes, json, runpy, sys; "
    "sys.platform == 'linux' and ctypes.CDLL(None).prctl(1, 9); "  # PR_SET_PDEATHSIG, SIGKILL: it ends with the judge
    "sys.path += json.loads(sys.argv[1]); "
    "runpy.run_module(sys.argv[2], run_name='__main__')"
)


class Supervisor:
    """Runs workers, each within the same limit, until it is stopped.

    Args:
        timeout: seconds of CPU time for a worker, and seconds that it may sleep.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End all workers."""
        self._stopped.set()

    def run(
        self, module: str, question: Mapping[str, Any]
    ) -> tuple[Mapping[str, Any] | None, str, str]:
        """Put a question to a worker, `python -m module`, which calls `answer`.

        Returns:
            Its answer, or None if it ended, or was ended, before; then, why, in words; and the end of what it printed.
        """
        with tempfile.TemporaryDirectory(
            prefix="gradparity-check-", ignore_cleanup_errors=True
        ) as folder:
            # The target works in a folder of its own in a folder of its own, so that it does not write files into the
            # user's, and that one which tidies up around itself finds nobody else's.
            work = Path(folder) / "work"
            work.mkdir()
            reading, writing = os.pipe()
            folders = json.dumps([str(Path.cwd()), *filter(None, sys.path)])
            asked = json.dumps({"channel": writing, "timeout": self._timeout, **question})
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, folders, module, asked],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=work,
                env={**os.environ, **_ENVIRONMENT, _MARK: folder},
                start_new_session=True,
                pass_fds=[writing],
            )
            os.close(writing)
            watch = _Watch(process, reading, self._timeout, self._stopped)
            try:
                watch.until_it_ends()
            finally:
                _kill(process, folder)
                os.close(reading)
                if process.stdout:
                    process.stdout.close()
        output = watch.output.decode("utf-8", "replace")[-_SHOWN:]
        return watch.answer, f"{watch.ended} while {watch.doing}", output


class _Watch:
    """Watches a process: takes its output and its messages, and says when it must be ended."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        channel: int,
        timeout: float,
        stopped: threading.Event,
    ) -> None:
        self._process, self._channel = process, channel
        self._timeout, self._stopped = timeout, stopped
        self._message = b""
        self._asleep = self._asleep_at_import = 0.0
        self.answer: Mapping[str, Any] | None = None
        self.doing = "it was being started"
        self.ended = ""
        self.output = b""

    def until_it_ends(self) -> None:
        """Return when the process has answered, has ended or must be ended."""
        assert self._process.stdout is not None
        printed = self._process.stdout.fileno()
        begun = looked = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for one in (printed, self._channel):
                os.set_blocking(one, False)
                selector.register(one, selectors.EVENT_READ)
            while self.answer is None and not self.ended:
                for key, _ in selector.select(_TICK):
                    if self._take(key.fd) == b"":
                        selector.unregister(key.fd)
                if (status := self._process.poll()) is not None:
                    while self._take(self._channel):
                        pass
                    self.ended = _in_words(status, self._timeout)
                elif time.monotonic() - looked >= _TICK:
                    looked = time.monotonic()
                    self._look(looked - begun)
                    time.sleep(0 if selector.get_map() else _TICK)
        self._take(printed)  # whoever still holds the pipe is not waited for

    def _take(self, pipe: int) -> bytes | None:
        """Read some of what there is in a pipe; return nothing at its end, and None if there is nothing yet."""
        try:
            chunk = os.read(pipe, _KEPT)
        except BlockingIOError:
            return None
        if pipe == self._channel:
            *lines, self._message = (self._message + chunk).split(b"\n")
            for line in lines:
                self._heed(line)
        else:
            self.output = (self.output + chunk)[-_KEPT:]
        return chunk

    def _heed(self, line: bytes) -> None:
        """Heed a message, which the target may have written."""
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(message, dict) and isinstance(message.get("doing"), str):
            self.doing = message["doing"]
        if isinstance(message, dict) and isinstance(message.get("answer"), dict):
            self.answer = message["answer"]

    def _look(self, elapsed: float) -> None:
        """Count the time asleep: a statement at import that sleeps too long is woken, a process that does is ended."""
        if self._stopped.is_set():
            self.ended = "it was interrupted"
        elif not _SHOWS_SLEEP and elapsed > _BACKSTOP * self._timeout:
            self.ended = (
                f"it did not finish within {_BACKSTOP} times {self._timeout:g} s (--timeout)"
            )
        elif _sleeps(self._process.pid):
            self._asleep += _TICK
            self._asleep_at_import += _TICK
            if self._asleep > self._timeout:
                self.ended = f"it waited for more than {self._timeout:g} s (--timeout)"
            elif self._asleep_at_import > self._timeout / 4 and WAKE is not None:
                self._asleep_at_import = 0.0
                os.kill(self._process.pid, WAKE)  # ignored but for a statement at import


def _sleeps(pid: int) -> bool:
    """Return True if no thread of a process computes, or would if it were given a core."""
    try:
        tasks = [(task / "stat").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return False
    states = {stat.rpartition(")")[2].split()[0] for stat in tasks}
    return bool(states) and not states & {"R", "D"}  # runnable, waiting for a disk


def _in_words(status: int, timeout: float) -> str:
    if status == -signal.SIGXCPU:
        return f"it used more than {timeout:g} s of CPU time (--timeout)"
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"its process was ended by {signal.Signals(-status).name}"
    return f"its process ended (status {status})"


def _kill(process: subprocess.Popen[bytes], mark: str) -> None:
    """Kill the process and all that it started, also in other sessions."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wanted = f"{_MARK}={mark}".encode()
    for file in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in file.read_bytes().split(b"\0"):
                os.kill(int(file.parent.name), signal.SIGKILL)


def answer(work: Callable[[Any, Callable[[str], None]], Mapping[str, Any]]) -> None:
    """Answer the question of `Supervisor.run`, in the process that it started.

    Args:
        work: is given the question, and a function to say what it is doing; returns the answer.
    """
    question = json.loads(sys.argv[3])
    _limit_itself(math.ceil(question["timeout"]))
    channel = question["channel"]
    os.set_inheritable(channel, False)
    dumps, write = json.dumps, os.write  # a target can replace them

    def tell(message: Mapping[str, Any]) -> None:
        left = dumps(message).encode() + b"\n"
        while left:
            left = left[write(channel, left) :]

    sys.argv[:] = [question["target"]]  # a target that reads its arguments finds none
    tell({"answer": work(question, lambda doing: tell({"doing": doing}))})


def _limit_itself(seconds: int) -> None:
    """Limit the CPU time of this process: the system ends it with SIGXCPU, and if it ignores that, with SIGKILL."""
    if WAKE is not None:
        signal.signal(WAKE, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    bounded = hard != resource.RLIM_INFINITY
    most, last = (min(n, hard) if bounded else n for n in (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_CPU, (most, last))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
