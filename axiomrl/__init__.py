"""axiomrl: train reinforcement-learning agents fast, resume them exactly, compare them honestly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from axiomrl.config import TrainConfig, load_config
    from axiomrl.results import ExperimentResult, RunResult
    from axiomrl.study.experiment import Experiment
    from axiomrl.tracking import ExperimentManager, ExperimentRecord
    from axiomrl.training.reproduction import Reproduction, reproduce
    from axiomrl.training.seeding import set_training_seed
    from axiomrl.training.session import Finished, Scores, resume, score
    from axiomrl.training.session import start as train

__version__ = "0.1.0"

__all__ = [
    "Experiment",
    "ExperimentManager",
    "ExperimentRecord",
    "ExperimentResult",
    "Finished",
    "Reproduction",
    "RunResult",
    "Scores",
    "TrainConfig",
    "load_config",
    "reproduce",
    "resume",
    "score",
    "set_training_seed",
    "train",
]

# Public name -> where it lives. Nothing is imported before it is asked for.
_PUBLIC = {
    "Experiment": "axiomrl.study.experiment:Experiment",
    "ExperimentManager": "axiomrl.tracking:ExperimentManager",
    "ExperimentRecord": "axiomrl.tracking:ExperimentRecord",
    "ExperimentResult": "axiomrl.results:ExperimentResult",
    "Finished": "axiomrl.training.session:Finished",
    "Reproduction": "axiomrl.training.reproduction:Reproduction",
    "RunResult": "axiomrl.results:RunResult",
    "Scores": "axiomrl.training.session:Scores",
    "TrainConfig": "axiomrl.config:TrainConfig",
    "load_config": "axiomrl.config:load_config",
    "reproduce": "axiomrl.training.reproduction:reproduce",
    "resume": "axiomrl.training.session:resume",
    "score": "axiomrl.training.session:score",
    "set_training_seed": "axiomrl.training.seeding:set_training_seed",
    "train": "axiomrl.training.session:start",
}


def __getattr__(name: str) -> Any:
    """A public name, imported on first use."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'axiomrl' has no attribute {name!r}")
    import importlib

    module, _, attribute = _PUBLIC[name].partition(":")
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value
