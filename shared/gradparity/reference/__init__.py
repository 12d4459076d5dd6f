"""The reference in extended precision, and the rounding bound. It shares no code with the implementations."""
