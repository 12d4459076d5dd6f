"""`python -m gradparity` is the command `gradparity`."""

from .cli import main

main()
