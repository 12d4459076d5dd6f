"""Run the command `gradparity` as `python -m gradparity`."""

from .cli import main

main()
