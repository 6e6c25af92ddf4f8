from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from axiomrl.errors import AxiomRLError, RunAliveError, RunNotFoundError
from axiomrl.runs.run import Run

from .conftest import MakeConfig, StartPython, text
from .test_events import read_scalars
from .test_run import checkpoints_of, metadata_of

METRIC = "eval_return_mean"


def change_metadata(directory: Path, **changes: Any) -> None:
    path = directory / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


class Training:
    """Logs and checkpoints as training does, from numbers that depend on the step alone."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.saved: dict[int, dict[str, Any]] = {}

    def advance(self, first: int, last: int, *, time_s: float = 0.0) -> None:
        for step in range(first, last + 1):
            value = float("nan") if step == 3 else (step * 37 % 11) / 7
            duration_s = time_s + step
            self.run.log(
                {"train_loss": value, METRIC: float(step)}, step=step, duration_s=duration_s
            )
            if step % 2 == 0:
                self.checkpoint(step)

    def checkpoint(self, step: int) -> None:
        best = {"step": step, "metric_name": METRIC, "metric_value": float(step)}
        self.saved[step] = {
            "positions": self.run.positions(),
            "best": best,
            "latest_metrics": {
                **self.run.metadata["latest_metrics"],
                f"best_{METRIC}": float(step),
            },
            "non_finite": dict(self.run.metadata["non_finite_metrics"]),
        }
        path = self.run.save_checkpoint(step, text(f"state {step}"))
        self.run.mark_best(path, step=step, metric=METRIC, value=float(step))

    def rewind(self, step: int) -> None:
        self.run.rewind(step=step, **self.saved[step])


def rows_of(run: Run) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (run.directory / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if not k.startswith("time_")} for row in rows]


def test_rewound_and_repeated_run_equals_one_that_was_never_stopped(
    make_config: MakeConfig,
) -> None:
    with Run.create(make_config(keep=9)) as straight:
        Training(straight).advance(1, 9)
    with Run.create(make_config(keep=9)) as stopped:
        training = Training(stopped)
        training.advance(1, 7)
    with Run.reopen(stopped.directory) as resumed:
        training.run = resumed
        training.rewind(4)
        assert checkpoints_of(resumed) == ["best.pt", "step_2.pt", "step_4.pt"]
        assert (resumed.directory / "checkpoints" / "best.pt").read_text() == "state 4"
        metadata = metadata_of(resumed)
        assert metadata["best_checkpoint"]["step"] == 4
        assert Path(metadata["latest_checkpoint_path"]).name == "step_4.pt"
        assert metadata["latest_metrics"]["eval_return_mean"] == 4.0
        assert metadata["latest_metrics"]["best_eval_return_mean"] == 4.0
        training.advance(5, 9)
    assert (resumed.directory / "metrics.jsonl").read_bytes() == (
        straight.directory / "metrics.jsonl"
    ).read_bytes()
    scalars = read_scalars(resumed.directory / "tensorboard")
    assert repr(scalars) == repr(read_scalars(straight.directory / "tensorboard"))
    assert [step for step, _ in scalars["train/loss"]] == list(range(1, 10))
    assert checkpoints_of(resumed) == checkpoints_of(straight)
    for key in ("latest_metrics", "non_finite_metrics", "status", "run_id", "created_at_utc"):
        if key != "created_at_utc":
            assert metadata_of(resumed)[key] == metadata_of(straight)[key]
    assert metadata_of(resumed)["created_at_utc"] == metadata_of(stopped)["created_at_utc"]


def test_only_wall_clock_values_differ_after_a_resume(make_config: MakeConfig) -> None:
    with Run.create(make_config()) as straight:
        Training(straight).advance(1, 4)
    with Run.create(make_config()) as stopped:
        training = Training(stopped)
        training.advance(1, 3)
    with Run.reopen(stopped.directory) as resumed:
        training.run = resumed
        training.rewind(2)
        training.advance(3, 4, time_s=100.0)
    assert rows_of(resumed) == rows_of(straight)


def test_best_that_came_later_than_the_checkpoint_is_forgotten(make_config: MakeConfig) -> None:
    with Run.create(make_config()) as run:
        run.save_checkpoint(0, text("0"))
        positions = run.positions()
        Training(run).advance(1, 4)
    with Run.reopen(run.directory) as resumed:
        resumed.rewind(positions, step=0, best=None, latest_metrics={}, non_finite={})
        assert checkpoints_of(resumed) == ["step_0.pt"]
        metadata = metadata_of(resumed)
        assert "best_checkpoint" not in metadata
        assert metadata["latest_metrics"] == metadata["non_finite_metrics"] == {}


def test_best_copy_of_a_kill_between_copy_and_metadata_is_put_right(
    make_config: MakeConfig,
) -> None:
    with Run.create(make_config()) as run:
        training = Training(run)
        training.advance(1, 2)
        (run.directory / "checkpoints" / "best.pt").write_text("state 3")
    with Run.reopen(run.directory) as resumed:
        training.run = resumed
        training.rewind(2)
        assert (run.directory / "checkpoints" / "best.pt").read_text() == "state 2"


def test_best_copy_outlives_its_source(make_config: MakeConfig) -> None:
    with Run.create(make_config()) as run:
        training = Training(run)
        training.advance(1, 2)
        training.checkpoint(3)
    (run.directory / "checkpoints" / "step_2.pt").unlink()
    with Run.reopen(run.directory) as resumed:
        best = {"step": 3, "metric_name": METRIC, "metric_value": 3.0}
        resumed.rewind(**{**training.saved[3], "best": best}, step=3)
        assert (run.directory / "checkpoints" / "best.pt").read_text() == "state 3"
        # the best of step 2 is gone for good, and best.pt holds that of step 3
        training.run = resumed
        training.rewind(2)
        assert not (run.directory / "checkpoints" / "best.pt").exists()


@pytest.mark.parametrize("name", ["metrics.jsonl", "tensorboard"])
def test_file_that_lost_rows_is_refused_before_anything_changes(
    make_config: MakeConfig, name: str
) -> None:
    with Run.create(make_config()) as run:
        training = Training(run)
        training.advance(1, 6)
    path = run.directory / name
    damaged = path if path.is_file() else next(path.iterdir())
    os.truncate(damaged, 40)
    before = checkpoints_of(run)
    with Run.reopen(run.directory) as resumed:
        training.run = resumed
        with pytest.raises(AxiomRLError, match="has been damaged"):
            training.rewind(4)
    assert checkpoints_of(run) == before


def test_removed_event_files_begin_again(make_config: MakeConfig) -> None:
    with Run.create(make_config()) as run:
        training = Training(run)
        training.advance(1, 4)
    shutil.rmtree(run.directory / "tensorboard")
    with Run.reopen(run.directory) as resumed:
        training.run = resumed
        training.rewind(4)
        training.advance(5, 6)
    assert read_scalars(run.directory / "tensorboard")["eval/return_mean"] == [(5, 5.0), (6, 6.0)]


def test_restarted_run_is_as_before_its_first_step(make_config: MakeConfig) -> None:
    with Run.create(make_config()) as run:
        Training(run).advance(1, 4)
    with Run.reopen(run.directory) as again:
        again.restart()
        assert checkpoints_of(again) == []
        metadata = metadata_of(again)
        assert metadata["latest_metrics"] == metadata["non_finite_metrics"] == {}
        assert "best_checkpoint" not in metadata
        assert "latest_checkpoint_path" not in metadata
        Training(again).advance(1, 1)
    assert rows_of(again) == [{"step": 1, "train_loss": 37 % 11 / 7, METRIC: 1.0}]
    assert read_scalars(again.directory / "tensorboard")["eval/return_mean"] == [(1, 1.0)]


def test_reopening_says_who_writes_now_and_keeps_the_first_command(
    make_config: MakeConfig,
) -> None:
    with (
        pytest.raises(ValueError, match="x"),
        Run.create(make_config(), command=["axiomrl", "train"]) as run,
    ):
        raise ValueError("x")
    change_metadata(run.directory, process={"pid": 1}, from_elsewhere=[1])
    with Run.reopen(run.directory, command=["axiomrl", "resume"], device="cuda") as resumed:
        metadata = metadata_of(resumed)
        assert metadata["status"] == "running"
        assert metadata["process"]["pid"] == os.getpid()
        assert metadata["command"] == ["axiomrl", "train"]
        assert [resume["command"] for resume in metadata["resumes"]] == [["axiomrl", "resume"]]
        assert metadata["system"]["device"] == "cuda"
        assert metadata["from_elsewhere"] == [1]
        assert not {"error", "ended_at_utc"} & set(metadata)
    assert metadata_of(resumed)["status"] == "completed"


def test_moved_run_is_continued_where_it_is(make_config: MakeConfig, tmp_path: Path) -> None:
    with Run.create(make_config()) as run:
        training = Training(run)
        training.advance(1, 4)
    moved = tmp_path / "elsewhere"
    run.directory.rename(moved)
    with Run.reopen(moved) as resumed:
        training.run = resumed
        training.rewind(2)
    metadata = metadata_of(resumed)
    assert metadata["output_dir"] == str(moved)
    assert metadata["best_checkpoint"]["path"] == str(moved / "checkpoints" / "best.pt")
    assert (moved / "checkpoints" / "best.pt").read_text() == "state 2"


def test_leftovers_of_a_killed_writer_are_cleaned(make_config: MakeConfig) -> None:
    with Run.create(make_config()) as run:
        pass
    leftovers = [
        run.directory / ".metadata.json.99-4.tmp",
        run.directory / "checkpoints" / ".step_5.pt.99-5.tmp",
    ]
    for path in leftovers:
        path.write_text("half")
    with Run.reopen(run.directory):
        assert not any(path.exists() for path in leftovers)


def test_run_that_is_being_written_here_is_refused(make_config: MakeConfig) -> None:
    with Run.create(make_config()) as run:
        with pytest.raises(RunAliveError, match=f"process {os.getpid()} on"):
            Run.reopen(run.directory)
        assert metadata_of(run)["status"] == "running"
    with Run.reopen(run.directory):
        pass


HOLD = """
with Run.reopen(Path(sys.argv[1])) if sys.argv[2:] else Run.create(config(sys.argv[1])) as run:
    print(run.directory, flush=True)
    import time; time.sleep(60)
"""


def test_run_of_another_living_process_is_refused_until_it_is_killed(
    tmp_path: Path, start_python: StartPython
) -> None:
    child = start_python(HOLD, tmp_path)
    assert child.stdout is not None
    directory = Path(child.stdout.readline().strip())
    with pytest.raises(RunAliveError, match=f"process {child.pid} on"):
        Run.reopen(directory)
    child.kill()
    child.wait()
    with Run.reopen(directory) as run:
        assert run.metadata["process"]["pid"] == os.getpid()


def test_only_one_of_several_resumes_at_once_gets_the_run(
    make_config: MakeConfig, start_python: StartPython
) -> None:
    with Run.create(make_config()) as run:
        pass
    children = [start_python(HOLD, run.directory, "reopen") for _ in range(4)]
    losers = []
    while len(losers) < 3:
        losers = [child for child in children if child.poll() is not None]
    (winner,) = [child for child in children if child.poll() is None]
    for loser in losers:
        _, errors = loser.communicate()
        assert "RunAliveError" in errors
    assert winner.stdout is not None
    assert winner.stdout.readline().strip() == str(run.directory)


FORK_A_WORKER = """
run = Run.create(config(sys.argv[1]))
worker = os.fork()
if worker == 0:
    print(os.getpid(), run.directory, flush=True)
    import time; time.sleep(60)
os.kill(os.getpid(), 9)
"""


def test_forked_worker_that_survives_does_not_keep_the_run(
    tmp_path: Path, start_python: StartPython
) -> None:
    child = start_python(FORK_A_WORKER, tmp_path)
    assert child.stdout is not None
    worker, directory = child.stdout.readline().split()
    try:
        assert child.wait(timeout=60) == -9
        os.kill(int(worker), 0)  # it is still there
        with Run.reopen(Path(directory)) as run:
            assert run.metadata["status"] == "running"
    finally:
        os.kill(int(worker), 9)


def test_run_on_another_machine_is_refused_while_its_heart_beats(
    make_config: MakeConfig,
) -> None:
    with Run.create(make_config()) as run:
        pass
    system = {**run.metadata["system"], "hostname": "another-machine"}
    now = datetime.now(UTC)
    change_metadata(run.directory, status="running", system=system, heartbeat_utc=now.isoformat())
    with pytest.raises(RunAliveError, match="on another-machine"):
        Run.reopen(run.directory)
    with Run.reopen(run.directory, now=lambda: now + timedelta(hours=1)) as resumed:
        assert resumed.metadata["system"]["hostname"] != "another-machine"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metadata.json", None, "is not a run"),
        ("metadata.json", "{", "cannot be read"),
        ("metadata.json", "[]", "holds no JSON object"),
        ("metadata.json", '{"schema_version": 99}', "newer axiomrl"),
        ("config.yaml", None, "cannot be read"),
        ("config.yaml", "{}", "not the configuration of a run"),
        ("config.yaml", '{"total_timesteps": 5, "checkpoint": 3}', "not the configuration"),
    ],
)
def test_what_cannot_be_continued_is_said(
    make_config: MakeConfig, name: str, content: str | None, message: str
) -> None:
    with Run.create(make_config()) as run:
        pass
    (run.directory / name).unlink()
    if content is not None:
        (run.directory / name).write_text(content)
    for _ in range(2):  # the failed attempt leaves no lock
        with pytest.raises(RunNotFoundError, match=message):
            Run.reopen(run.directory)


def test_directory_that_is_not_there_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match="is not a run"):
        Run.reopen(tmp_path / "missing")


TRAIN_FOREVER = """
run = Run.create(config(sys.argv[1], checkpoint=CheckpointConfig(every=1, keep=2)))
print(run.directory, flush=True)
step = 0
while True:
    step += 1
    run.log({"eval_return_mean": float(step)}, step=step, duration_s=0.0)
    positions = run.positions()
    path = run.save_checkpoint(
        step, lambda path: path.write_text(f"{positions['metrics']} " + "x" * 20_000 + " end")
    )
    run.mark_best(path, step=step, metric="eval_return_mean", value=float(step))
"""


def test_kill_at_any_moment_leaves_a_run_that_reopens_and_rewinds(
    tmp_path: Path, start_python: StartPython
) -> None:
    import time

    for attempt in range(6):
        child = start_python(TRAIN_FOREVER, tmp_path)
        assert child.stdout is not None
        directory = Path(child.stdout.readline().strip())
        while not list((directory / "checkpoints").glob("step_*.pt")):
            time.sleep(0.001)
        time.sleep(0.0023 * attempt)
        child.kill()
        child.wait()
        json.loads((directory / "metadata.json").read_text())
        with Run.reopen(directory) as run:
            for path in (directory / "checkpoints").iterdir():
                assert path.read_text().endswith(" end"), path
            newest = max((directory / "checkpoints").glob("step_*.pt"), key=_step_of)
            length = int(newest.read_text().split()[0])
            events = {"events": 0, "events_file": ""}
            best = {"step": _step_of(newest), "metric_name": METRIC, "metric_value": 0.0}
            run.rewind(
                {"metrics": length, **events},
                step=_step_of(newest), best=best, latest_metrics={}, non_finite={},
            )  # fmt: skip
            assert [row["step"] for row in rows_of(run)] == list(range(1, _step_of(newest) + 1))
            assert (directory / "checkpoints" / "best.pt").read_bytes() == newest.read_bytes()


def _step_of(path: Path) -> int:
    return int(path.stem.removeprefix("step_"))
