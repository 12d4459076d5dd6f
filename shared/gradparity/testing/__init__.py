"""`assert_parity` and `assert_port`, for the tests of other projects.

Every pytest run in an environment with gradparity imports this package for its plugin, so it imports everything else
only when it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..check.report import Report
    from ..porting.result import Result


def assert_parity(target: Any, *, adapter: Any = None, name: str = "") -> Report:
    """Raise unless `gradparity check` finds `target` right: a sigmoid MLP with MSE and SGD.

    Args:
        target: a name or path, as on the command line, which is judged in a process of its own; or the implementation
            itself: a module or object with functions of the contract, a `torch.nn.Module`, a JAX loss function.
        adapter: the path of a file, or an object, with functions that call the target.
        name: the target's name in messages.

    Raises:
        AssertionError: it is wrong, or could not be judged; the message names step, phase, tensor, index, difference
            and bound, and the mistake if it is known.
        InputError: the target does not exist, or offers nothing that can be checked.
    """
    from ..check.examine import examine
    from ..check.loading import wrap
    from ..check.process import check
    from ..registry import find

    if isinstance(target, str) and (adapter is None or isinstance(adapter, str)):
        (report,) = check([target], adapter)
    elif isinstance(target, str):
        report = examine(wrap(name or target, find(target), adapter))
    else:
        given = name or getattr(target, "__name__", type(target).__name__)
        report = examine(wrap(given, target, adapter))
    if report.verdict != "agree":
        raise AssertionError(message(report))
    return report


def assert_port(original: Any, port: Any, inputs: Any, **options: Any) -> Result:
    """Raise unless a port computes what its original does; the arguments are those of `gradparity.port`.

    Raises:
        AssertionError: the two differ, or could not be judged; the message says where, and why if that was found.
        InputError: a model cannot be built, run or recorded.
    """
    from ..porting.api import port as judge
    from ..porting.text import lines

    result = judge(original, port, inputs, **options)
    if result.verdict != "agree":
        raise AssertionError("\n".join(lines(result)))
    return result


def message(report: Report) -> str:
    """Return a report that does not agree as a few lines of text."""
    lines = [
        *(report.title, *report.first_wrong, *report.diagnosis, *report.not_judged),
        *report.traceback.splitlines(),
    ]
    return "\n".join(lines)
