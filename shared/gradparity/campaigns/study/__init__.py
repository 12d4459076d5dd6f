"""What the homework did and what it left blank, over many initial seeds: `gradparity study`."""
