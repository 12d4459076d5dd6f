"""Judging: one update, many updates, a free run, a stored run."""
