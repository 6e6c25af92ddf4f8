"""Experiments of anyone's own training loop, kept as one JSON file per experiment id."""

from axiomrl.tracking.manager import ExperimentManager
from axiomrl.tracking.record import ExperimentRecord

__all__ = ["ExperimentManager", "ExperimentRecord"]
