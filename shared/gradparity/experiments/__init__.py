"""Experiments: TOML files, their data and initial weights; runs: trained, stored, loaded."""
