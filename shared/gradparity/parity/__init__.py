"""Whether two implementations compute the same, and how that is judged."""
