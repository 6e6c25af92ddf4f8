"""Records on disk: where they lie, what is refused, what is tolerated, what is made anew."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from axiomrl import RunResult
from axiomrl.artifacts import ArtifactRecords, LocalBackend
from axiomrl.errors import ArtifactError, InputError, RunAliveError
from axiomrl.fingerprint import config_hash, hash_of
from axiomrl.records import LoadedRecords, Place, RecordStore, load_records
from axiomrl.runs.run import Run
from axiomrl.study.launchers.contract import Job
from axiomrl.study.pairs import IfExists

from .standins import StandIn, run_pair, small
from .writers import files_in

HASH = config_hash(small())
RECORDS = Path("records", "ppo", "CartPole-v1", HASH)
RUN = Path("runs", "ppo", "CartPole-v1", HASH, f"seed1-{HASH}")


def trained(store: RecordStore, seed: int = 1, if_exists: IfExists = "skip") -> RunResult:
    result, _ = run_pair(store, small(seed), StandIn(), if_exists=if_exists)
    return result


@pytest.fixture
def store(folder: Path) -> RecordStore:
    return RecordStore(folder / "results")


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def problems_of(loaded: LoadedRecords) -> list[tuple[str, str]]:
    return [(problem.path.name, problem.message) for problem in loaded.problems]


# Layout


def test_records_artifacts_and_runs_have_their_places(store: RecordStore) -> None:
    result = trained(store, seed=3)
    assert result.run_id == f"seed3-{HASH}"
    run = f"runs/ppo/CartPole-v1/{HASH}/seed3-{HASH}"
    assert set(files_in(store.save_dir)) >= {
        f"records/ppo/CartPole-v1/{HASH}/config.json",
        f"records/ppo/CartPole-v1/{HASH}/seed3.json",
        f"artifacts/ppo/CartPole-v1/{HASH}/seed3/best.pt",
        f"{run}/metadata.json",
        f"{run}/config.yaml",
    }
    assert sorted(os.listdir(store.save_dir)) == [".locks", "artifacts", "records", "runs"]
    assert all(name.endswith(".lock") for name in os.listdir(store.save_dir / ".locks"))


def test_configuration_is_written_with_the_hash_that_it_has(store: RecordStore) -> None:
    trained(store)
    content = json.loads((store.save_dir / RECORDS / "config.json").read_text())
    assert content["config_hash"] == HASH == hash_of(content["run_config"])
    assert (content["algo"], content["env_id"]) == ("ppo", "CartPole-v1")
    assert "seed" not in content["run_config"]


def test_record_says_what_the_run_gave(store: RecordStore) -> None:
    result = trained(store)
    content = json.loads((store.save_dir / RECORDS / "seed1.json").read_text())
    assert (content["run_id"], content["config_hash"]) == (f"seed1-{HASH}", HASH)
    assert (content["seed"], content["score"], content["env_steps"]) == (1, 2.5, 256)
    assert content["metrics"] == {"eval_return_mean": 2.5}
    assert content["history"]["eval_return_mean"] == {"step": [0, 256], "value": [3.0, 2.5]}
    assert content["run_directory"] == RUN.as_posix()
    assert [attempt["status"] for attempt in content["attempts"]] == ["completed"]
    artifact = content["artifacts"]["best.pt"]
    assert artifact["key"] == f"ppo/CartPole-v1/{HASH}/seed1/best.pt"
    assert result.artifacts["best.pt"].to_mapping() == artifact


def test_further_attempts_have_directories_of_their_own(store: RecordStore) -> None:
    for if_exists in ("skip", "new-attempt", "new-attempt"):
        result = trained(store, if_exists=if_exists)
    runs = sorted(path.name for path in (store.save_dir / RUN).parent.iterdir())
    assert runs == [f"seed1-{HASH}", f"seed1-{HASH}-attempt2", f"seed1-{HASH}-attempt3"]
    content = json.loads((store.save_dir / RECORDS / "seed1.json").read_text())
    assert [Path(each["run_directory"]).name for each in content["attempts"]] == runs
    assert Path(content["run_directory"]).name == runs[-1]
    assert result.metadata["run_directory"].endswith(runs[-1])


def test_record_describes_the_newest_completed_attempt(store: RecordStore) -> None:
    trained(store)

    def fail(run: Run) -> None:
        raise ValueError("broken")

    result, _ = run_pair(store, small(), StandIn(during=fail), if_exists="new-attempt")
    assert result.is_failed
    (recorded,) = load_records(store.save_dir).results
    assert recorded.metadata["status"] == "completed"
    content = json.loads((store.save_dir / RECORDS / "seed1.json").read_text())
    assert [each["status"] for each in content["attempts"]] == ["completed", "failed"]


@pytest.mark.parametrize(
    ("env_id", "name"),
    [
        ("ALE/Pong-v5", "ALE-Pong-v5"),
        ("my_module:My__Env-v0", "my_module-My_Env-v0"),
        ("..", "_"),
        (".hidden", "hidden"),
        ("../../etc", "-..-etc"),
        ("con", "_con"),
    ],
)
def test_names_of_folders_are_safe(folder: Path, env_id: str, name: str) -> None:
    place = Place.of(folder, small(env_id=env_id))
    assert place.records == folder / "records" / "ppo" / name / place.config_hash
    assert place.runs == folder / "runs" / "ppo" / name / place.config_hash


def test_environments_whose_names_become_one_share_no_directory(folder: Path) -> None:
    places = [Place.of(folder, small(env_id=env_id)) for env_id in ("a/b", "a-b", "a b", "a:b")]
    assert len({place.records.parent for place in places}) == 1
    for part in ("records", "runs"):
        assert len({getattr(place, part) for place in places}) == 4
    assert len({place.artifact_key(1) for place in places}) == 4


def test_configurations_of_one_environment_share_no_directory(store: RecordStore) -> None:
    other = small(total_timesteps=512)
    for config in (small(), other):
        run_pair(store, config, StandIn())
    loaded = load_records(store.save_dir)
    assert set(loaded.by_configuration) == {HASH, config_hash(other)}
    assert [len(results) for results in loaded.by_configuration.values()] == [1, 1]


def test_secrets_are_in_no_record(store: RecordStore) -> None:
    config = small(environment={"kwargs": {"api_key": "hunter2-hunter2"}})
    result, _ = run_pair(store, config, StandIn())
    for name in files_in(store.save_dir):
        assert b"hunter2" not in (store.save_dir / name).read_bytes(), name
    assert load_records(store.save_dir).results == [result]
    assert run_pair(store, config, StandIn()) == (result, True)


# Loading


def test_loaded_results_are_those_that_were_returned(store: RecordStore) -> None:
    returned = [trained(store, seed) for seed in (10, 2, 1)]
    loaded = load_records(store.save_dir)
    assert loaded.by_configuration == {HASH: returned[::-1]}  # by seed, as a number
    assert loaded.results == returned[::-1]
    assert loaded.problems == []


def test_folder_that_is_not_there_holds_no_records(folder: Path) -> None:
    assert load_records(folder / "nowhere") == LoadedRecords({}, [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not JSON"),
        ('{"schema_version": 1, "sc', "is not JSON"),
        ("[1]", "holds no JSON object"),
        ('{"schema_version": 9}', "was written by another version"),
        ('{"schema_version": 1, "score": []}', "is no record: Expected `float"),
        ('{"schema_version": 1, "seed": 4}', "is the record of seed 4"),
        ('{"schema_version": 1, "seed": 2, "config_hash": "a"}', "is a record of configuration a"),
    ],
)
def test_damaged_record_is_told_and_the_others_are_loaded(
    store: RecordStore, content: str, message: str
) -> None:
    whole = trained(store, seed=1)
    trained(store, seed=2)
    (store.save_dir / RECORDS / "seed2.json").write_text(content)
    loaded = load_records(store.save_dir)
    assert loaded.results == [whole]
    ((name, told),) = problems_of(loaded)
    assert name == "seed2.json"
    assert told.startswith(message)


def test_pipe_in_place_of_a_record_is_told(store: RecordStore) -> None:
    trained(store)
    os.mkfifo(store.save_dir / RECORDS / "seed2.json")
    assert problems_of(load_records(store.save_dir)) == [("seed2.json", "is no regular file")]


def test_files_of_other_kinds_are_passed_over(store: RecordStore) -> None:
    whole = trained(store)
    records = store.save_dir / "records"
    (records / "README.md").write_text("notes")
    (records / "ppo" / "x.json").write_text("{")
    (records / "other" / "deep" / "folder").mkdir(parents=True)
    (records / ".git" / "a" / "b").mkdir(parents=True)
    (records / ".git" / "a" / "b" / "config.json").write_text("{")
    for name in ("notes.json", "seed.json", ".seed2.json.12-1.tmp", "seed2.json.bak"):
        (store.save_dir / RECORDS / name).write_text("{")
    assert load_records(store.save_dir) == LoadedRecords({HASH: [whole]}, [])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_text('{"run_con'), "is not JSON"),
        (lambda path: edit(path, run_config={"algo": "ppo"}), "does not match its hash"),
        (lambda path: edit(path, config_hash="0" * 16), "does not match its hash"),
        (lambda path: edit(path, env_id=3), "does not describe a configuration"),
        (lambda path: edit(path, env_id="Pendulum-v1"), "belongs in "),
    ],
)
def test_configuration_that_does_not_match_its_hash_is_told(
    store: RecordStore, damage: Any, message: str
) -> None:
    trained(store)
    damage(store.save_dir / RECORDS / "config.json")
    loaded = load_records(store.save_dir)
    assert loaded.results == []
    ((name, told),) = problems_of(loaded)
    assert name == "config.json"
    assert told.startswith(message)


def test_records_without_their_configuration_are_told(store: RecordStore) -> None:
    trained(store)
    (store.save_dir / RECORDS / "config.json").unlink()
    loaded = load_records(store.save_dir)
    assert loaded.results == []
    assert [name for name, _ in problems_of(loaded)] == ["config.json"]


def test_copied_folder_refers_to_its_own_runs_and_artifacts(
    store: RecordStore, folder: Path
) -> None:
    trained(store)
    copy = folder / "copy"
    shutil.copytree(store.save_dir, copy)
    for is_moved in (False, True):
        if is_moved:
            shutil.rmtree(store.save_dir)
        (result,) = load_records(copy).results
        assert result.metadata["run_directory"] == str(copy / RUN)
        path = result.artifacts["best.pt"].path
        assert path is not None
        assert path.is_relative_to(copy)
        assert path.read_bytes() == b"1 0"
    again, is_earlier = run_pair(RecordStore(copy), small(), StandIn())
    assert is_earlier
    assert load_records(copy).results == [again]


# What a further run does with what it finds


@pytest.mark.parametrize("content", [None, "", '{"schema_version": 1, "score": 99}'])
def test_record_that_is_missing_or_damaged_is_made_of_the_run_directory(
    store: RecordStore, content: str | None
) -> None:
    whole = trained(store)
    path = store.save_dir / RECORDS / "seed1.json"
    path.unlink() if content is None else path.write_text(content)
    training = StandIn()
    assert run_pair(store, small(), training) == (whole, True)
    assert training.calls == []
    assert load_records(store.save_dir).results == [whole]


def test_run_directory_has_the_last_word_on_what_a_record_says(store: RecordStore) -> None:
    whole = trained(store)
    edit(store.save_dir / RECORDS / "seed1.json", score=99.0)
    assert trained(store) == whole
    assert load_records(store.save_dir).results == [whole]


def test_record_whose_runs_were_deleted_is_still_reused(store: RecordStore) -> None:
    whole = trained(store)
    shutil.rmtree(store.save_dir / "runs")
    training = StandIn()
    assert run_pair(store, small(), training) == (whole, True)
    assert training.calls == []


def test_damaged_record_whose_runs_were_deleted_is_never_overwritten(store: RecordStore) -> None:
    trained(store)
    shutil.rmtree(store.save_dir / "runs")
    path = store.save_dir / RECORDS / "seed1.json"
    path.write_text("{")
    for if_exists in ("skip", "new-attempt", "error"):
        with pytest.raises(InputError, match=r"seed1.json: is not JSON"):
            trained(store, if_exists=if_exists)
    assert path.read_text() == "{"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run_config": {"algo": "ppo"}}, "does not match its hash"),
        ({"run_config": "x"}, "does not describe a configuration"),
        # a hash that two configurations share, as far as this one can tell
        ({"config_hash_scheme": 0, "run_config": {"algo": "ppo"}}, "another configuration of hash"),
    ],
)
def test_configuration_that_does_not_match_its_hash_is_refused(
    store: RecordStore, changes: dict[str, Any], message: str
) -> None:
    trained(store)
    path = store.save_dir / RECORDS / "config.json"
    edit(path, **changes)
    before = path.read_text()
    training = StandIn()
    for seed in (1, 2):
        with pytest.raises(InputError, match=message):
            run_pair(store, small(seed), training)
    assert training.calls == []
    assert path.read_text() == before


def test_directory_that_somebody_else_has_filled_is_left_alone(store: RecordStore) -> None:
    foreign = store.save_dir / RUN
    (foreign / "checkpoints").mkdir(parents=True)
    (foreign / "checkpoints" / "step_5.pt").write_bytes(b"precious")
    result = trained(store)
    assert result.metadata["run_directory"] == f"{foreign}-attempt2"
    assert (foreign / "checkpoints" / "step_5.pt").read_bytes() == b"precious"


def test_run_whose_metadata_is_damaged_is_left_alone(
    store: RecordStore, caplog: pytest.LogCaptureFixture
) -> None:
    trained(store)
    (store.save_dir / RUN / "metadata.json").write_text("{")
    (store.save_dir / RECORDS / "seed1.json").unlink()
    result = trained(store)
    assert result.metadata["run_directory"] == f"{store.save_dir / RUN}-attempt2"
    assert f"{RUN.name}" in caplog.text
    assert (store.save_dir / RUN / "metadata.json").read_text() == "{"


def test_pair_that_is_being_trained_is_refused_by_naming_the_process(store: RecordStore) -> None:
    refused = []

    def run_again(run: Run) -> None:
        with pytest.raises(RunAliveError) as caught:
            run_pair(RecordStore(store.save_dir), small(), StandIn(), if_exists="new-attempt")
        refused.append(str(caught.value))
        trained(RecordStore(store.save_dir), seed=2)  # another seed is another pair

    run_pair(store, small(), StandIn(during=run_again))
    assert f"written by process {os.getpid()}" in refused[0]
    assert len(load_records(store.save_dir).results) == 2


def test_pair_that_another_machine_trains_is_refused(store: RecordStore) -> None:
    trained(store)
    path = store.save_dir / RUN / "metadata.json"
    system = {**json.loads(path.read_text())["system"], "hostname": "elsewhere"}
    edit(path, status="running", system=system, heartbeat_utc="2999-01-01T00:00:00+00:00")
    (store.save_dir / RECORDS / "seed1.json").unlink()
    with pytest.raises(RunAliveError, match="on elsewhere"):
        trained(store)


def test_run_that_fails_before_it_has_a_directory_is_told(store: RecordStore) -> None:
    class Breaking(StandIn):
        def create(self, job: Job) -> Run:
            raise MemoryError("no room")

    result, _ = run_pair(store, small(), Breaking())
    assert result.is_failed
    assert (result.score, result.seed, result.run_id) == (None, 1, f"seed1-{HASH}")
    assert hash_of(result.run_config) == HASH
    assert result.metadata["error"]["type"] == "MemoryError"
    assert files_in(store.save_dir) == []


# Artifacts


class Failing(LocalBackend):
    """A backend that is away for a while."""

    is_away = True

    def put(self, key: str, source: Path, *, overwrite: bool = False) -> Any:
        if self.is_away:
            raise ConnectionError("no route to https://me:secret@host")
        return super().put(key, source, overwrite=overwrite)


def test_upload_that_fails_is_recorded_and_repeated(folder: Path) -> None:
    backend = Failing(folder / "far")
    store = RecordStore(folder / "results", backend=backend)
    result = trained(store)
    assert result.metadata["status"] == "completed"
    assert result.score == 2.5
    assert result.artifacts == {}
    assert result.metadata["artifact_error"] == "no route to https://***@host"
    assert load_records(store.save_dir).results == [result]
    known = ArtifactRecords(store.save_dir / RUN)
    (failure,) = known.read()
    assert (failure.name, failure.url) == ("checkpoints/best.pt", backend.url)
    backend.is_away = False
    again, is_earlier = run_pair(store, small(), StandIn())
    assert is_earlier
    assert "artifact_error" not in again.metadata
    assert again.artifacts["best.pt"].path == folder / "far" / store.place(small()).artifact_key(1)
    assert known.read() == []
    assert load_records(store.save_dir).results == [again]


def test_artifact_of_somebody_else_is_not_replaced(store: RecordStore, folder: Path) -> None:
    path = store.save_dir / "artifacts" / store.place(small()).artifact_key(1)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"precious")
    result = trained(store)
    assert "something else already" in result.metadata["artifact_error"]
    assert path.read_bytes() == b"precious"


def test_artifact_follows_the_newest_completed_attempt(
    store: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(store)
    monkeypatch.setattr("records.standins._write", lambda data, path: path.write_bytes(b"new"))
    result = trained(store, if_exists="new-attempt")
    path = result.artifacts["best.pt"].path
    assert path is not None
    assert path.read_bytes() == b"new"
    best = store.save_dir / RUN / "checkpoints" / "best.pt"
    assert best.read_bytes() == b"1 0"


def test_damaged_list_of_artifacts_does_not_lose_the_run(folder: Path) -> None:
    def damage(run: Run) -> None:
        (run.directory / "artifacts.json").write_text("{")

    store = RecordStore(folder / "results", backend=Failing(folder / "far"))
    result, _ = run_pair(store, small(), StandIn(during=damage))
    assert result.score == 2.5
    assert "artifact_error" in result.metadata


def test_failure_of_an_artifact_error_is_told_in_its_own_words(folder: Path) -> None:
    class Full(LocalBackend):
        def put(self, key: str, source: Path, *, overwrite: bool = False) -> Any:
            raise ArtifactError("the bucket is full")

    store = RecordStore(folder / "results", backend=Full(folder / "far"))
    assert trained(store).metadata["artifact_error"] == "the bucket is full"
