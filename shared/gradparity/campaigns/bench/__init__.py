"""Time each implementation against common ways to write it and against a C loop: `gradparity bench`."""
