"""Repeat the original assignment, and fill its blank sections, over many initial seeds: `gradparity study`."""
