"""axiomrl: train reinforcement-learning agents fast, resume them exactly, compare them honestly."""

__version__ = "0.1.0"
