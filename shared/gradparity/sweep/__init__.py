"""Train one experiment from many seeds in every setting of a grid, to find how often and how soon it succeeds."""
