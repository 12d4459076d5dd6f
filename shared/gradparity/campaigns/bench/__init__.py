"""How fast each implementation goes, beside others and beside the limit: `gradparity bench`."""
