"""The networks that a verdict is taken on: vetted ones, and random ones."""
