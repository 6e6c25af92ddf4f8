"""Results of runs as values: for Python code, data frames and JSON files."""

from axiomrl.results.experiment_result import ExperimentResult
from axiomrl.results.run_result import RunResult, Series

__all__ = ["ExperimentResult", "RunResult", "Series"]
