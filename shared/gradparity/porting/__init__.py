"""Judge a model that was ported from one framework to another."""
