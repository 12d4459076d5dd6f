"""The errors that `gradparity` raises on purpose."""


class InputError(ValueError):
    """What the user gave cannot be used. Its text names what was wrong and what to do."""


class ContractError(TypeError):
    """An implementation returned something that the contract does not allow."""


class TargetImportError(InputError):
    """A file is there, and cannot be imported."""
