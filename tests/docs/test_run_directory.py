"""The page on the run directory against real run directories."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from axiomrl.artifacts import ArtifactRecords
from axiomrl.config import BenchmarkConfig, config_from_mapping
from axiomrl.metrics import METRICS
from axiomrl.runs.provenance import described_error
from axiomrl.runs.run import Run
from axiomrl.study.launchers.contract import Job, JobOutcome
from axiomrl.study.launchers.inline import InlineLauncher
from axiomrl.study.runner import run_study
from axiomrl.study.summary import Result, summary_rows

from .conftest import Command
from .pages import DOCS, snippets, table_under

PAGE = DOCS / "reference" / "run-directory.md"
EXTENDING = DOCS / "how-to" / "resume-and-extend.md"

# Their keys are names of packages, metrics and settings, documented elsewhere.
OPEN = ("config", "versions", "resumes[].versions", "latest_metrics", "non_finite_metrics")
SETTINGS = {f"benchmark.{field.name}" for field in fields(BenchmarkConfig)}

ONLY_OFF_POLICY = {"checkpoints/replay_<n>.rows"}  # PPO, which is run here, has no replay memory

QUICK = """\
algo: ppo
env_id: Pendulum-v1
total_timesteps: 512
hyperparameters: {n_steps: 128, batch_size: 64, n_epochs: 1, hidden_sizes: [8]}
evaluation: {every: 256, episodes: 1}
logging: {every: 1}
benchmark: {suite: classic-control, preset_name: ppo-pendulum}
"""

STUDY = {
    "algo": "ppo",
    "env_id": "Pendulum-v1",
    "total_timesteps": 512,
    "mode": "run-experiments",
}


@pytest.fixture
def run(folder: Path, axiomrl: Command) -> Path:
    """A finished run, started in a repository with a change that is not committed."""
    changed = folder / "quick.yaml"
    changed.write_text("not committed yet\n")
    identity = ["-c", "user.name=A Reader", "-c", "user.email=reader@example.org"]
    for words in (["init", "--quiet"], ["add", "quick.yaml"], ["commit", "--quiet", "-m", "First"]):
        subprocess.run(["git", *identity, *words], cwd=folder, check=True)
    changed.write_text(QUICK)
    directory = folder / axiomrl("train", "--config", "quick.yaml", "--quiet").strip()
    axiomrl("artifacts", "push", directory, "--to", "archive")
    return directory


def metadata(run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run / "metadata.json").read_text(encoding="utf-8"))
    return content


def keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of all keys, at every depth; those of list items behind `[]`."""
    for name, value in values.items():
        dotted = prefix + name
        if dotted in SETTINGS:
            continue
        yield dotted
        if dotted in OPEN:
            continue
        if isinstance(value, dict):
            yield from keys(value, f"{dotted}.")
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, dict):
                    yield from keys(item, f"{dotted}[].")


def namespace_of(page: Path) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    for snippet in snippets(page, "python"):
        exec(snippet.text, namespace)
    return namespace


def fail_again(run: Path) -> None:
    """Reopen a run and let it fail."""
    with Run.reopen(run):
        raise RuntimeError("on purpose")


def test_every_file_is_documented_and_every_documented_file_is_there(
    run: Path, axiomrl: Command
) -> None:
    axiomrl("runs", "tag", run, "+read")
    documented = table_under(PAGE, "## Files")
    found = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    patterns = {
        name: re.escape(name).replace("<n>", r"\d+").replace(r"\*", ".+") for name in documented
    }
    unmatched = {
        path for path in found if not any(re.fullmatch(p, path) for p in patterns.values())
    }
    assert unmatched == set()
    absent = {n for n, p in patterns.items() if not any(re.fullmatch(p, path) for path in found)}
    assert absent == ONLY_OFF_POLICY


def test_every_metadata_key_is_documented_and_every_documented_one_exists(
    run: Path, axiomrl: Command
) -> None:
    finished = metadata(run)
    child = namespace_of(EXTENDING)["extend"](run.name, 768)
    continued = metadata(child)
    with pytest.raises(RuntimeError, match="on purpose"):
        fail_again(run)
    failed = metadata(run)
    seen = set(keys(finished)) | set(keys(continued)) | set(keys(failed))
    documented = table_under(PAGE, "## `metadata.json`")
    assert seen - set(documented) == set()
    assert set(documented) - seen == set()
    assert continued["parent"]["step"] == finished["progress"]["env_steps"]
    assert failed["status"] == "failed"


def test_the_file_of_tags_is_documented(run: Path, axiomrl: Command) -> None:
    axiomrl("runs", "tag", run, "+read")
    written = json.loads((run / "tags.json").read_text())
    assert set(table_under(PAGE, "## `tags.json`")) == set(written)


def test_folders_beside_the_runs_are_documented(run: Path, axiomrl: Command) -> None:
    axiomrl("runs", "tag", run, "+read")
    axiomrl("runs", "rm", run)
    hidden = {path.name for path in run.parent.iterdir()}
    assert set(table_under(PAGE, "## Beside the run directories")) == hidden


def test_keys_said_to_be_absent_at_first_are_absent(run: Path) -> None:
    documented = table_under(PAGE, "## `metadata.json`")
    assert "absent before the first" in documented["resumes"]
    assert "resumes" not in metadata(run)
    assert "error" not in metadata(run)


def test_every_key_of_artifacts_json_is_documented(run: Path) -> None:
    (stored,) = ArtifactRecords(run).read()
    ArtifactRecords(run).record_failure(stored.name, stored.url, TimeoutError("no answer"))
    content = json.loads((run / "artifacts.json").read_text(encoding="utf-8"))
    assert set(table_under(PAGE, "## `artifacts.json`")) == set(keys(content))


def test_every_status_is_documented(run: Path) -> None:
    documented = set(table_under(PAGE, "### Status"))
    assert documented == {"running", "completed", "failed", "interrupted", "dead"}
    assert metadata(run)["status"] == "completed"


def test_every_part_of_a_checkpoint_is_documented(run: Path) -> None:
    import torch

    state = torch.load(run / "checkpoints" / "best.pt", weights_only=True)
    assert set(table_under(PAGE, "## Checkpoints")) == set(state)
    assert {"policy.0.weight", "value.0.bias", "log_std"} <= set(state["algorithm"]["network"])


def test_every_metric_that_a_run_writes_is_known(run: Path) -> None:
    read = namespace_of(PAGE)
    rows = read["read_metrics"](run)
    written = {key for row in rows for key in row}
    assert written - {"step"} <= set(METRICS)
    assert {"train_action_std", "eval_return_mean", "rollout_return_mean"} <= written
    assert set(metadata(run)["latest_metrics"]) <= set(METRICS)
    curve = read["evaluation_curve"](run)
    assert [step for step, _ in curve] == [0, 256, 512]


def test_every_key_of_runner_state_json_is_documented(folder: Path, axiomrl: Command) -> None:
    def fail(job: Job, tell: Any) -> JobOutcome:
        found.append(json.loads((folder / "study" / "runner_state.json").read_text()))
        error = described_error(RuntimeError("on purpose"))
        return JobOutcome(job=job, state="failed", error=error)

    found: list[dict[str, Any]] = []
    runner = {"seeds": [1, 2], "output_base_dir": str(folder / "study")}
    config = {**STUDY, "experiments_runner": runner}
    run_study(config_from_mapping(config), launcher=InlineLauncher(fail))
    seen = {key for content in found for key in keys(content)}
    assert set(table_under(PAGE, "### `runner_state.json`")) == seen
    paths = set(table_under(PAGE, "## The folder of a study"))
    assert {"run_<ii>_seed<seed>/", "runner_state.json", "summary.csv"} <= paths


def test_the_summary_that_is_shown_is_the_one_that_is_written() -> None:
    (shown,) = [each.text for each in snippets(PAGE, "text") if each.text.startswith("run,")]
    values = zip((42, 101, 28), (12.40, 12.61, 12.38), (0.82, 0.825, 0.818), strict=True)
    results = [
        Result(run=run, seed=seed, directory="", state="completed", config_hash=None,
               duration_s=duration, env_steps=1, metrics={"eval_return_mean": value})
        for run, (seed, duration, value) in enumerate(values)
    ]  # fmt: skip
    header, rows = summary_rows(results)
    assert shown == "".join(",".join(row) + "\n" for row in [header, *rows])
