"""One experiment, three frameworks, the same numbers.

This module exports everything that is public; `contract` has the records that implementations are given and return.
It imports each name when it is first used, so that `import gradparity` costs nothing: every pytest run where gradparity
is installed imports it, for the plugin.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "ContractError",
    "InputError",
    "Report",
    "__version__",
    "assert_parity",
    "contract",
    "load_experiment",
    "load_implementation",
    "port",
]

if TYPE_CHECKING:
    from . import contract
    from .check.report import Report
    from .errors import ContractError, InputError
    from .experiments.experiment import load as load_experiment
    from .porting.api import port
    from .registry import load as load_implementation
    from .testing import assert_parity
else:
    from importlib import import_module

    _WHERE = {
        "ContractError": ("errors", "ContractError"),
        "InputError": ("errors", "InputError"),
        "Report": ("check.report", "Report"),
        "assert_parity": ("testing", "assert_parity"),
        "load_experiment": ("experiments.experiment", "load"),
        "load_implementation": ("registry", "load"),
        "port": ("porting.api", "port"),
    }

    def __getattr__(name):
        if name == "contract":
            return import_module(".contract", __name__)
        if name not in _WHERE:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        module, attribute = _WHERE[name]
        return getattr(import_module(f".{module}", __name__), attribute)

    def __dir__():
        return __all__
