"""Where everything of one configuration lies below a folder of results."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from axiomrl import fingerprint
from axiomrl.artifacts.keys import plain_segment
from axiomrl.config.schema import TrainConfig
from axiomrl.runs import layout

RECORDS, ARTIFACTS, RUNS, LOCKS = "records", "artifacts", "runs", ".locks"
CONFIG = "config.json"


@dataclass(frozen=True, kw_only=True)
class Place:
    """The folders of one configuration.

    Names that differ may become one folder's name (`a/b` and `a-b`), but configurations that
    differ never share one: the hash below counts algorithm and environment too.
    """

    save_dir: Path  # absolute
    algo: str
    env_id: str
    config_hash: str

    @classmethod
    def of(cls, save_dir: Path, config: TrainConfig) -> Place:
        """The place of a configuration."""
        return cls(
            save_dir=absolute(save_dir),
            algo=config.algo,
            env_id=config.env_id,
            config_hash=fingerprint.config_hash(config),
        )

    @property
    def records(self) -> Path:
        """The folder of config.json and one `seed<N>.json` per seed."""
        return self.save_dir / RECORDS / self._name

    @property
    def config(self) -> Path:
        """The file that says what the hash stands for."""
        return self.records / CONFIG

    @property
    def runs(self) -> Path:
        """The folder of the run directories of every seed and attempt."""
        return self.save_dir / RUNS / self._name

    def record(self, seed: int) -> Path:
        """The file that says what a seed gave."""
        return self.records / f"seed{seed}.json"

    def run_id(self, seed: int) -> str:
        """What every attempt at a seed is called in its metadata.json."""
        return f"seed{seed}-{self.config_hash}"

    def run_directory(self, seed: int, attempt: int = 1) -> Path:
        """The directory of an attempt, counted from 1."""
        further = f"-attempt{attempt}" if attempt > 1 else ""
        return self.runs / (self.run_id(seed) + further)

    def is_for(self, directory: Path, seed: int) -> bool:
        """Whether a directory in `runs` bears the name of some attempt at a seed."""
        run_id = self.run_id(seed)
        return directory.name == run_id or directory.name.startswith(f"{run_id}-attempt")

    def artifact_key(self, seed: int) -> str:
        """The key of a seed's best checkpoint."""
        return f"{self._name}/seed{seed}/{layout.BEST}"

    def lock(self, seed: int | None = None) -> Path:
        """The lock file of a seed, else that of the configuration."""
        name = self.config_hash if seed is None else self.run_id(seed)
        return self.save_dir / LOCKS / f"{name}.lock"

    @property
    def _name(self) -> str:
        parts = [plain_segment(layout.plain_name(part)) for part in (self.algo, self.env_id)]
        return "/".join([*parts, self.config_hash])


def absolute(save_dir: Path | str) -> Path:
    """A folder of results as an absolute path; `~` is the user's home."""
    return Path(os.path.abspath(Path(save_dir).expanduser()))
