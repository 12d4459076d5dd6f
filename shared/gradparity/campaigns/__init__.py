"""Campaigns: long runs whose results are stored for the report."""
