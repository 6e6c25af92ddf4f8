"""Configurations: what a run is made from, read and checked before anything starts."""

from axiomrl.config.dump import config_to_mapping, dump_config
from axiomrl.config.explain import ExplainedSetting, explain, reference_page
from axiomrl.config.resolve import config_from_mapping, load_config
from axiomrl.config.schema import (
    BenchmarkConfig,
    CheckpointConfig,
    EnvironmentConfig,
    EvaluationConfig,
    ExperimentsRunnerConfig,
    FinalTestConfig,
    LoggingConfig,
    Schedulable,
    Schedule,
    ScoreNormalization,
    SettingInfo,
    TrainConfig,
    WrapperConfig,
    block,
    setting,
)

__all__ = [
    "BenchmarkConfig",
    "CheckpointConfig",
    "EnvironmentConfig",
    "EvaluationConfig",
    "ExperimentsRunnerConfig",
    "ExplainedSetting",
    "FinalTestConfig",
    "LoggingConfig",
    "Schedulable",
    "Schedule",
    "ScoreNormalization",
    "SettingInfo",
    "TrainConfig",
    "WrapperConfig",
    "block",
    "config_from_mapping",
    "config_to_mapping",
    "dump_config",
    "explain",
    "load_config",
    "reference_page",
    "setting",
]
