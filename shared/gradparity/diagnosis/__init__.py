"""Name a mistake, by computing the numbers that each known mistake would give."""
