"""The networks on which a target is judged: vetted ones and random ones."""
