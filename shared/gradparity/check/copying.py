"""Call a function in a copy of this process that can do no harm, and take its answer."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from ..border import seed_generators

with contextlib.suppress(ModuleNotFoundError):  # on Windows, which has no fork either
    import resource

_CPU_SECONDS = 2
_LONGEST = 2**26
"""The largest number of bytes of an answer."""


def in_a_copy(find: Callable[[], bytes], patience: float) -> bytes:
    """Call a function in a fork of this process, which prints nothing, writes no file, and is ended after a while.

    Args:
        find: the function. Its answer is bytes: what a program may have written is not unpickled.
        patience: seconds until the copy is ended.

    Returns:
        The answer; empty if there is none.
    """
    receiver, sender = Pipe(duplex=False)
    with tempfile.TemporaryDirectory(
        prefix="gradparity-look-", ignore_cleanup_errors=True
    ) as folder:
        # What is deleted above the working folder, by mistake, is ours, too.
        work = Path(folder) / "above" / "work"
        work.mkdir(parents=True)
        with warnings.catch_warnings():
            # They are of other threads: the copy does not need them, or is ended.
            warnings.simplefilter("ignore")
            child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                _be_quiet(work)
                sender.send_bytes(find())
            os._exit(0)
        try:
            sender.close()
            if receiver.poll(patience):
                return receiver.recv_bytes(_LONGEST)
        except (EOFError, OSError):  # it ended without an answer, or its answer is too long
            pass
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            receiver.close()
    return b""


def _be_quiet(work: Path) -> None:
    """Let this process print nothing, write no file, use little time, and draw the same numbers every time."""
    os.chdir(work)
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    sys.stdout = sys.stderr = os.fdopen(nothing, "w", encoding="utf-8")
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + 1 + _CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.addaudithook(_forbid)
    warnings.simplefilter("ignore")
    seed_generators(0)


_FORBIDDEN = {
    *(
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.mkdir",
        "os.truncate",
        "os.link",
        "os.symlink",
        "os.chmod",
        "os.chown",
    ),
    *("shutil.rmtree", "shutil.move", "os.kill", "os.killpg", "os.putenv", "socket.connect"),
    *(
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.spawn",
        "os.posix_spawn",
        "os.fork",
        "os.forkpty",
    ),
}
"""Audit events of what goes beyond this process."""


def _forbid(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise an error where a file would be written, or more than a file."""
    writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    if event in _FORBIDDEN or (event == "open" and (arguments[2] or 0) & writes):
        raise PermissionError(f"{event} is not allowed while a program is looked at")
