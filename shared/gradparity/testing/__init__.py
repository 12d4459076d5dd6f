"""For the tests of other projects: `assert_parity`.

Every pytest run where gradparity is installed imports this package for its plugin, so nothing else is imported before
it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..check.report import Report


def assert_parity(target: Any, *, adapter: Any = None, name: str = "") -> Report:
    """Raise unless `target` is right by the verdict of `gradparity check`: a sigmoid MLP with MSE and SGD.

    Args:
        target: a name or path, as on the command line; or the implementation itself: a module or object with functions
            of the contract, a `torch.nn.Module`, a JAX loss function.
        adapter: wraps it; a path, or an object.
        name: what to call it in messages.

    Raises:
        AssertionError: it is wrong, or could not be judged; the message names step, phase, tensor, index, difference
            and bound, and the mistake where it is known.
        InputError: there is no such target, or it offers nothing that can be checked.
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
    """A report that is no agreement, in a few lines."""
    lines = [report.title, *report.first_wrong, *report.diagnosis, *report.not_judged]
    return "\n".join(lines)
