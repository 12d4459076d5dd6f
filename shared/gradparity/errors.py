"""The errors that `gradparity` raises on purpose."""


class InputError(ValueError):
    """The user's input cannot be used. The message says what was wrong and what to do."""


class ContractError(TypeError):
    """An implementation returned something that the contract does not allow."""


class TargetImportError(InputError):
    """The target's file exists, but importing it failed."""
