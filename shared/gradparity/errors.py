"""The errors that `gradparity` raises on purpose."""


class InputError(ValueError):
    """The user's input cannot be used. The message says what was wrong and what to do."""


class ContractError(TypeError):
    """An implementation returned something that the contract does not allow."""


class TargetRaisedError(ContractError):
    """A target raised an exception; its cause is that exception. A case that a target cannot run is not judged."""


class TargetImportError(InputError):
    """The target's file exists, but importing it failed."""
