"""Bit for bit: the exact variants compared, and where each bit goes otherwise."""
