"""Judge the implementations on random networks: `gradparity random-networks`."""
