"""The report in a real browser: `make browser`."""
