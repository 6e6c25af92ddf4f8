"""The runtime: environments, networks, the training loop, scoring, checkpoints."""
