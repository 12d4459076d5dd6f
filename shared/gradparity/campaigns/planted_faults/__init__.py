"""Plant known mistakes in a correct implementation, and count which are caught and named correctly."""
