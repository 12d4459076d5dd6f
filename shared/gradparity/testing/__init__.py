"""`assert_parity`, for the tests of other projects.

Every pytest run in an environment with gradparity imports this package for its plugin, so it imports everything else
only when it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..check.report import Report


def assert_parity(target: Any, *, adapter: Any = None, name: str = "") -> Report:
    """Raise unless `gradparity check` finds `target` right: a sigmoid MLP with MSE and SGD.

    Args:
        target: a name or path, as on the command line; or the implementation itself: a module or object with functions
            of the contract, a `torch.nn.Module`, a JAX loss function.
        adapter: the path of a file, or an object, with functions that call the target.
        name: the target's name in messages.

    Raises:
        AssertionError: it is wrong, or could not be judged; the message names step, phase, tensor, index, difference
            and bound, and the mistake if it is known.
        InputError: the target does not exist, or offers nothing that can be checked.
    """
    from ..check.examine import examine
    from ..check.loading import load, wrap

    if isinstance(target, str):
        found = load(target, adapter)
    else:
        found = wrap(name or getattr(target, "__name__", type(target).__name__), target, adapter)
    report = examine(found)
    if report.verdict != "agree":
        raise AssertionError(message(report))
    return report


def message(report: Report) -> str:
    """Return a report that does not agree as a few lines of text."""
    lines = [report.title, *report.first_wrong, *report.diagnosis, *report.not_judged]
    return "\n".join(lines)
