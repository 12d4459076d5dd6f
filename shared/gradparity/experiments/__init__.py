"""Experiments (TOML files, data, initial weights) and runs (trained, stored, loaded)."""
