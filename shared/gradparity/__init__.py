"""One experiment, three frameworks, the same numbers.

The names that this module exports are public. Each one is imported when it is first used, so that `import gradparity`
is cheap: every pytest run in an environment with gradparity imports it, for the plugin.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "LEAK",
    "SGD",
    "Activation",
    "Adagrad",
    "Adam",
    "Batch",
    "ContractError",
    "Conv",
    "DType",
    "Dense",
    "Ensemble",
    "Implementation",
    "InputError",
    "Layer",
    "Loss",
    "Network",
    "Optimizer",
    "Params",
    "RMSProp",
    "Report",
    "Schedule",
    "Snapshot",
    "State",
    "Trajectory",
    "__version__",
    "assert_parity",
    "load_experiment",
    "load_implementation",
    "map_params",
    "tensors",
]

if TYPE_CHECKING:
    from .check.report import Report
    from .contract import (
        LEAK,
        SGD,
        Activation,
        Adagrad,
        Adam,
        Batch,
        Conv,
        Dense,
        DType,
        Ensemble,
        Implementation,
        Layer,
        Loss,
        Network,
        Optimizer,
        Params,
        RMSProp,
        Schedule,
        Snapshot,
        State,
        Trajectory,
        map_params,
        tensors,
    )
    from .errors import ContractError, InputError
    from .experiments.experiment import load as load_experiment
    from .registry import load as load_implementation
    from .testing import assert_parity
else:
    from importlib import import_module

    _NOT_IN_CONTRACT = {
        "ContractError": ("errors", "ContractError"),
        "InputError": ("errors", "InputError"),
        "Report": ("check.report", "Report"),
        "assert_parity": ("testing", "assert_parity"),
        "load_experiment": ("experiments.experiment", "load"),
        "load_implementation": ("registry", "load"),
    }

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        module, attribute = _NOT_IN_CONTRACT.get(name, ("contract", name))
        return getattr(import_module(f".{module}", __name__), attribute)

    def __dir__():
        return __all__
