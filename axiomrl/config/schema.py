"""What a configuration holds: frozen blocks whose fields carry meaning, range and default.

A field made by `setting` states its help text and bounds once; validation, `config --explain`,
the reference page and the configuration hash all read them from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field
from typing import Any, TypeVar

from axiomrl.errors import ConfigError

T = TypeVar("T")

_UNSET: Any = object()


@dataclass(frozen=True, kw_only=True)
class SettingInfo:
    """What is known of one configuration field beyond its type and default."""

    help: str
    low: float | None = None  # smallest allowed value, inclusive
    high: float | None = None  # largest allowed value, inclusive
    above: float | None = None  # exclusive lower bound
    below: float | None = None  # exclusive upper bound
    choices: tuple[str, ...] = ()
    hashed: bool = True  # part of what makes two configurations "the same"
    neutral: Any = None  # for fields added later: the value that reproduces the old behaviour
    has_neutral: bool = False

    def range_text(self) -> str:
        """The allowed values in words, for messages and the reference; empty if any is."""
        lower = f">= {self.low:g}" if self.low is not None else ""
        lower = f"> {self.above:g}" if self.above is not None else lower
        upper = f"<= {self.high:g}" if self.high is not None else ""
        upper = f"< {self.below:g}" if self.below is not None else upper
        bounds = " and ".join(part for part in (lower, upper) if part)
        if not self.choices:
            return bounds
        words = ", ".join(self.choices)
        return f"{bounds}, or {words}" if bounds else f"one of {words}"


def setting(
    help: str,
    default: T = _UNSET,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: tuple[str, ...] = (),
    hashed: bool = True,
    neutral: Any = _UNSET,
) -> T:
    """A configuration field; without `default` it is required."""
    info = SettingInfo(
        help=help,
        low=low,
        high=high,
        above=above,
        below=below,
        choices=choices,
        hashed=hashed,
        neutral=None if neutral is _UNSET else neutral,
        has_neutral=neutral is not _UNSET,
    )
    made: Any = field(default=MISSING if default is _UNSET else default, metadata={"setting": info})
    return made  # type: ignore[no-any-return]


def block(kind: type[T], help: str, *, hashed: bool = True) -> T:
    """A nested block of settings, by default with all its defaults."""
    info = SettingInfo(help=help, hashed=hashed)
    made: Any = field(default_factory=kind, metadata={"setting": info})
    return made  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A number that changes over training: from `start` at step 0 to `end`, and stays there."""

    schedule: str = setting("shape", "linear", choices=("constant", "linear", "cosine"))
    start: float = setting("value at step 0")
    end: float | None = setting("value at the end; null: equal to start (constant)", None)
    until: float = setting(
        "the fraction of training after which `end` is reached", 1.0, above=0, high=1, neutral=1.0
    )


Schedulable = float | Schedule


@dataclass(frozen=True, kw_only=True)
class WrapperConfig:
    """One Gymnasium wrapper, applied to every environment, innermost first."""

    path: str = setting("import path of the wrapper class, `package.module:Class`")
    kwargs: Mapping[str, Any] = field(
        default_factory=dict,
        metadata={"setting": SettingInfo(help="keyword arguments passed to the wrapper")},
    )


@dataclass(frozen=True, kw_only=True)
class EnvironmentConfig:
    """How each environment is made and what is done to its observations and rewards."""

    kwargs: Mapping[str, Any] = field(
        default_factory=dict,
        metadata={"setting": SettingInfo(help="keyword arguments of `gymnasium.make`")},
    )
    wrappers: tuple[WrapperConfig, ...] = setting(
        "wrappers around each environment, innermost first", ()
    )
    frame_stack: int = setting("how many consecutive observations are stacked into one", 1, low=1)
    normalize_observation: bool = setting(
        "shift and scale observations by running mean and standard deviation", False
    )
    normalize_reward: bool = setting(
        "divide rewards by the running standard deviation of the discounted return", False
    )
    max_episode_steps: int | None = setting(
        "episodes are truncated after this many steps; null: the environment's own limit",
        None,
        low=1,
    )
    fresh_each_episode: bool | None = setting(
        "make a new environment object for every episode, for environments that carry state "
        "from one episode to the next; null: where that is known to be needed",
        None,
    )
    evaluation: Mapping[str, Any] = field(
        default_factory=dict,
        metadata={
            "setting": SettingInfo(
                help="any of the settings above, with another value while scoring"
            )
        },
    )


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """When and how the policy is scored, in environments of its own."""

    every: int = setting("env steps between evaluations; 0: never", 10_000, low=0)
    episodes: int = setting("episodes per evaluation", 10, low=1)
    deterministic: bool = setting("act by the policy's mode instead of a sample", True)


@dataclass(frozen=True, kw_only=True)
class CheckpointConfig:
    """When the whole training state is saved, and how many of these files stay."""

    every: int = setting(
        "env steps between checkpoints; 0: only the first and the final one", 50_000, low=0
    )
    keep: int = setting("how many of the newest checkpoints are kept, besides the best", 3, low=1)


@dataclass(frozen=True, kw_only=True)
class LoggingConfig:
    """How often metrics are written while training."""

    every: int = setting("env steps between logged rows of training metrics", 1_000, low=1)
    tensorboard: bool = setting("write TensorBoard event files", True)


@dataclass(frozen=True, kw_only=True)
class ScoreNormalization:
    """Two anchors that turn a score into a fraction of the way between them."""

    type: str = setting("name of the normalisation, for example human or reference", "reference")
    random_score: float = setting("score of a uniformly random policy")
    human_score: float = setting("score of the human or reference policy")


@dataclass(frozen=True, kw_only=True)
class BenchmarkConfig:
    """Where the run belongs among others, and what "best" means for it."""

    suite: str | None = setting("name of the suite the run belongs to", None)
    preset_name: str | None = setting("name of the preset the run was made from", None)
    protocol_name: str | None = setting("name of the evaluation protocol", None)
    manifest: str | None = setting(
        "path of the suite's manifest; null: the shipped one of `suite`, if any", None
    )
    best_metric: str | None = setting(
        "the metric that decides the best checkpoint; null: none is kept", "eval_return_mean"
    )
    best_metric_mode: str | None = setting(
        "whether more or less of it is better; null: the metric's known direction",
        None,
        choices=("max", "min"),
    )
    score_normalization: ScoreNormalization | None = setting(
        "anchors for normalised scores; null: the shipped ones, if any", None
    )


@dataclass(frozen=True, kw_only=True)
class FinalTestConfig:
    """Fresh episodes that the trained policy is scored on, once, when training is complete."""

    episodes: int | None = setting(
        "episodes of the final test, with seeds that neither training nor evaluation uses; "
        "null or 0: no test",
        None,
        low=0,
    )


@dataclass(frozen=True, kw_only=True)
class ExperimentsRunnerConfig:
    """A study: the configuration once per seed."""

    seeds: tuple[int, ...] = setting(
        "seed of each run, in their order; `seed` itself is not used in a study", (), low=0
    )
    n_runs: int | None = setting(
        "how many runs; without `seeds`, random ones are drawn and kept in runner_state.json",
        None,
        low=1,
    )
    output_base_dir: str = setting(
        "folder of the study: its run directories, runner_state.json and summary.csv",
        "outputs/experiments_runner",
    )
    save_summary: bool = setting("write summary.csv after each run", True)
    summary_metrics: tuple[str, ...] = setting(
        "metrics of the summary that is printed; summary.csv holds all", ("eval_return_mean",)
    )
    resume: bool = setting("go on with a study that the folder holds already", False)
    on_error: str = setting(
        "what a failed run means for those after it", "continue", choices=("continue", "stop")
    )
    launcher: str = setting(
        "where the runs are computed: inline (one after another), process (in worker processes), "
        "ray or slurm",
        "inline",
        choices=("inline", "process", "ray", "slurm"),
    )
    n_workers: int | None = setting(
        "how many runs are computed at once; null: what the launcher thinks right", None, low=1
    )
    launcher_options: Mapping[str, Any] = field(
        default_factory=dict,
        metadata={"setting": SettingInfo(help="settings of the launcher, such as Ray's `address`")},
    )

    def __post_init__(self) -> None:
        """Raises ConfigError for seeds that repeat, or are not as many as `n_runs`."""
        repeated = [seed for place, seed in enumerate(self.seeds) if seed in self.seeds[:place]]
        if repeated:
            raise ConfigError(
                f"seeds holds {repeated[0]} twice", hint="a repeated run would be the same run"
            )
        if self.seeds and self.n_runs is not None and self.n_runs != len(self.seeds):
            raise ConfigError(
                f"n_runs is {self.n_runs}, but seeds has {len(self.seeds)}",
                hint="leave out one of them",
            )


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One run, completely: what `axiomrl train` needs to know."""

    algo: str = setting("name of the algorithm")
    env_id: str = setting("Gymnasium environment id, or `module:Id` to import a module first")
    seed: int = setting("seed of everything random in the run", 0, low=0, hashed=False)
    total_timesteps: int = setting("env steps to train for, over all environments", low=1)
    num_envs: int = setting("environments stepped in turn", 1, low=1)
    output_dir: str = setting("folder in which the run directory is made", "runs", hashed=False)
    device: str = setting(
        "where networks live", "auto", choices=("auto", "cpu", "cuda"), hashed=False
    )
    engine: str = setting(
        "network engine: mlp (hand-written, CPU) or torch (autograd)",
        "auto",
        choices=("auto", "mlp", "torch"),
        hashed=False,
    )
    threads: int = setting("CPU threads for matrix products", 1, low=1, hashed=False)
    deterministic: bool = setting("ask torch for deterministic kernels", False)
    tags: tuple[str, ...] = setting("free labels of the run", (), hashed=False)
    hyperparameters: Any = setting("the algorithm's own settings", None)
    environment: EnvironmentConfig = block(EnvironmentConfig, "how environments are made")
    evaluation: EvaluationConfig = block(EvaluationConfig, "when and how the policy is scored")
    checkpoint: CheckpointConfig = block(
        CheckpointConfig, "when training state is saved", hashed=False
    )
    logging: LoggingConfig = block(LoggingConfig, "how often metrics are written", hashed=False)
    benchmark: BenchmarkConfig = block(
        BenchmarkConfig, "where the run belongs among others", hashed=False
    )
    mode: str = setting(
        "train: one run; run-experiments: a study, see `experiments_runner`",
        "train",
        choices=("train", "run-experiments"),
        hashed=False,
    )
    test: FinalTestConfig = block(
        FinalTestConfig, "a last score on fresh episodes when training is complete", hashed=False
    )
    experiments_runner: ExperimentsRunnerConfig = block(
        ExperimentsRunnerConfig, "several seeds of one configuration", hashed=False
    )

    def __post_init__(self) -> None:
        """Raises ConfigError for a study that does not say which runs it has."""
        runner = self.experiments_runner
        if self.mode == "run-experiments" and not runner.seeds and runner.n_runs is None:
            raise ConfigError(
                "experiments_runner.seeds and experiments_runner.n_runs are both missing, "
                "but mode is run-experiments",
                hint="say which seeds, or how many runs:  experiments_runner: {seeds: [1, 2, 3]}",
            )
