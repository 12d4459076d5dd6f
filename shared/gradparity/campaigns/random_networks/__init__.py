"""The implementations judged on random networks."""
