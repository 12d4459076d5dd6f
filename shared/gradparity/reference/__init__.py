"""The reference in extended precision, which shares no code with the implementations, and the bound on rounding."""
