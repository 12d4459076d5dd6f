"""Judge one update, many updates, a free run or a stored run."""
