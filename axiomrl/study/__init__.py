"""Studies: one configuration with several seeds, and what came of them."""
