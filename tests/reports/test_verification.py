"""`axiomrl report verify`: which statements of a page still hold."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from axiomrl.cli.app import main
from axiomrl.reports.renderers.html_format import render_page, template

from .pages import data_in, make_page
from .run_files import write_group, write_run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    root = tmp_path / "place" / "runs"
    curve = [(step, step / 10) for step in range(0, 50, 10)]
    write_group(root, "good", [9, 10, 11], config_hash="a" * 16, curve=curve)
    write_group(root, "bad", [1, 2, 3], config_hash="b" * 16, curve=curve, algo="dqn")
    write_group(root, "few", [5, 6], env_id="Pendulum-v1")
    return root


@pytest.fixture
def board(runs: Path) -> Path:
    file = runs.parent / "board.html"
    make_page(file, "--runs-dir", runs)
    return file


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Any:
    """`verify(file, …)`: the exit code and what it says in JSON."""

    def call(file: Path, *words: str | Path) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        command = ["report", "verify", str(file), *map(str, words)]
        code = main([*command, "--output-format", "json"])
        captured = capsys.readouterr()
        return code, json.loads(captured.out) if captured.out else {"error": captured.err}

    return call


def states(found: dict[str, Any], kind: str = "group") -> dict[str, str]:
    return {each["name"]: each["state"] for each in found["checks"] if each["kind"] == kind}


def check_of(found: dict[str, Any], name: str, place: str = "CartPole-v1") -> dict[str, Any]:
    wanted = (name, place)
    (check,) = (each for each in found["checks"] if (each["name"], each["place"]) == wanted)
    return dict(check)


def edit_metadata(run: Path, **values: Any) -> None:
    path = run / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_untouched_runs_hold(board: Path, verify: Any) -> None:
    code, found = verify(board)
    assert code == 0
    assert (found["holds"], found["is_edited"], found["obstacle"]) == (True, False, None)
    assert states(found) == {"ppo": "holds", "dqn": "holds"}  # ppo of both environments
    assert set(states(found, "environment").values()) == {"holds"}


def test_text_says_how_many_hold(board: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["report", "verify", str(board)]) == 0
    assert capsys.readouterr().out.endswith("\n  3 of 3 groups hold\n")


@pytest.mark.parametrize(
    "words",
    [
        ("--statistic", "iqm", "--reduce", "auc", "--group-by", "algo-env"),
        ("--baseline", "dqn", "--threshold", "2", "--env-id", "Cart*", "--where", "seed < 2"),
        ("--top-k", "1", "--sort-by", "std", "--descending", "--min-seeds", "3"),
        ("--metric", "train_td_error", "--direction", "min", "--since", "2026-01-01"),
    ],
    ids=lambda words: words[0],
)
def test_page_is_computed_again_as_it_was_asked_for(
    words: tuple[str, ...], runs: Path, board: Path, verify: Any
) -> None:
    write_run(runs / "td", algo="sac", latest_metrics={"train_td_error": 0.5}, score=None)
    write_run(runs / "old", algo="sac", seed=9, created_at_utc="2025-01-01T00:00:00+00:00")
    make_page(board, "--runs-dir", runs, *words)
    code, found = verify(board)
    assert (code, found["holds"]) == (0, True), found


def test_changed_score_is_shown_with_both_values(runs: Path, board: Path, verify: Any) -> None:
    edit_metadata(runs / "good-0", latest_metrics={"eval_return_mean": 12.0})
    code, found = verify(board)
    assert code == 1
    check = check_of(found, "dqn")
    assert check["state"] == "holds"
    ppo = check_of(found, "ppo")
    assert ppo["state"] == "differs"
    differing = {each["what"]: (each["before"], each["now"]) for each in ppo["differences"]}
    assert differing["estimate"] == (10, 11)
    assert differing[f"score of {runs / 'good-0'}"] == (9, 12)
    assert ppo["changed"] == [f"{runs / 'good-0'} (metadata.json)"]


def test_changed_curve_is_found(runs: Path, board: Path, verify: Any) -> None:
    file = runs / "bad-1" / "metrics.jsonl"
    file.write_text(file.read_text().replace('"eval_return_mean": 2.0', '"eval_return_mean": 9'))
    check = check_of(verify(board)[1], "dqn")
    assert {each["what"]: each["now"] for each in check["differences"]} == {
        "curve value": "1 of them differ",
        "curve high": "1 of them differ",
    }
    assert check["changed"] == [f"{runs / 'bad-1'} (metrics.jsonl)"]


def test_changed_bytes_are_told_from_changed_numbers(runs: Path, board: Path, verify: Any) -> None:
    edit_metadata(runs / "bad-2", heartbeat_utc="2026-01-02T03:04:06+00:00")
    code, found = verify(board)
    assert (code, check_of(found, "dqn")["state"]) == (1, "runs changed")
    assert check_of(found, "dqn")["differences"] == []


def test_deleted_run_is_missing(runs: Path, board: Path, verify: Any) -> None:
    shutil.rmtree(runs / "bad-1")
    code, found = verify(board)
    check = check_of(found, "dqn")
    assert (code, check["state"]) == (1, "runs missing")
    assert check["missing"] == [str(runs / "bad-1")]
    assert {"what": "n_runs", "before": 3, "now": 2} in check["differences"]


def test_deleted_group_is_missing_and_changes_what_is_said_of_its_environment(
    runs: Path, board: Path, verify: Any
) -> None:
    for seed in range(3):
        shutil.rmtree(runs / f"bad-{seed}")
    found = verify(board)[1]
    assert check_of(found, "dqn")["state"] == "runs missing"
    differing = check_of(found, "all of CartPole-v1")["differences"]
    assert {"what": "n_ranked", "before": 2, "now": 1} in differing


def test_added_run_would_be_included_now(runs: Path, board: Path, verify: Any) -> None:
    write_run(runs / "new", algo="dqn", seed=3, score=2.0, config_hash="b" * 16)
    code, found = verify(board)
    check = check_of(found, "dqn")
    assert (code, check["state"], check["new"]) == (1, "differs", [str(runs / "new")])
    assert {"what": "n_seeds", "before": 3, "now": 4} in check["differences"]
    assert check_of(found, "all of CartPole-v1")["state"] == "holds"


def test_added_run_that_changes_no_number_is_still_news(
    runs: Path, board: Path, verify: Any
) -> None:
    more = {"algo": "dqn", "config_hash": "b" * 16, "progress": {"env_steps": 1}}
    write_run(runs / "shorter", seed=1, score=50.0, **more)
    code, found = verify(board)
    check = check_of(found, "dqn")
    assert (code, check["new"]) == (1, [str(runs / "shorter")])
    assert [each["what"] for each in check["differences"]] == ["n_superseded"]


def test_added_group_is_new_and_gives_others_another_name_only(
    runs: Path, board: Path, verify: Any
) -> None:
    write_group(runs, "third", [1, 2, 3], algo="dqn", config_hash="c" * 16)
    code, found = verify(board)
    assert code == 1
    assert check_of(found, "dqn ccccccc" + "c")["state"] == "new group"
    dqn = check_of(found, "dqn")
    assert {each["what"] for each in dqn["differences"]} <= {"rank_high", "rank_low", "rank"}


def test_moved_together_with_its_runs_a_page_still_holds(
    runs: Path, board: Path, tmp_path: Path, verify: Any
) -> None:
    shutil.move(tmp_path / "place", tmp_path / "elsewhere")
    code, found = verify(tmp_path / "elsewhere" / "board.html")
    assert code == 0, found


def test_copied_together_with_its_runs_a_page_is_about_the_copies(
    runs: Path, board: Path, tmp_path: Path, verify: Any
) -> None:
    shutil.copytree(tmp_path / "place", tmp_path / "copy")
    edit_metadata(runs / "good-0", latest_metrics={"eval_return_mean": 12.0})
    assert verify(board)[0] == 1
    assert verify(tmp_path / "copy" / "board.html")[0] == 0


def test_moved_without_its_runs_a_page_finds_them_where_they_were(
    board: Path, tmp_path: Path, verify: Any
) -> None:
    moved = tmp_path / "mail" / "deep" / "board.html"
    moved.parent.mkdir(parents=True)
    shutil.move(board, moved)
    assert verify(moved)[0] == 0


def test_runs_that_were_moved_are_looked_for_where_one_says(
    runs: Path, board: Path, tmp_path: Path, verify: Any
) -> None:
    shutil.move(runs, tmp_path / "archive")
    code, found = verify(board)
    assert code == 1
    assert "--runs-dir" in found["obstacle"]
    assert set(states(found).values()) == {"runs missing"}
    assert verify(board, "--runs-dir", tmp_path / "archive")[0] == 0
    assert verify(board, "--runs-dir", tmp_path / "nowhere")[0] == 2


def test_filter_that_no_run_answers_any_more_is_an_obstacle(
    runs: Path, board: Path, verify: Any
) -> None:
    write_run(runs / "x", extra=1, latest_metrics={"odd": 1.0})
    make_page(
        board, "--runs-dir", runs, "--where", "extra == 1", "--metric", "odd", "--direction", "max"
    )
    shutil.rmtree(runs / "x")
    code, found = verify(board)
    assert code == 1
    assert "extra" in found["obstacle"]


def test_page_whose_number_was_changed_is_edited_and_differs(board: Path, verify: Any) -> None:
    text = board.read_text()
    data = data_in(text)
    assert data["leaderboard"]["groups"][0]["estimate"] == 10
    board.write_text(text.replace('"estimate":10.0', '"estimate":99.0', 1))
    code, found = verify(board)
    assert (code, found["is_edited"]) == (1, True)
    ppo = check_of(found, "ppo")
    assert {"what": "estimate", "before": 99, "now": 10} in ppo["differences"]


def test_page_whose_number_was_changed_with_care_still_differs(board: Path, verify: Any) -> None:
    data = data_in(board.read_text())
    data["leaderboard"]["groups"][0]["ci_low"] = 9.999
    board.write_text(render_page(data))
    code, found = verify(board)
    assert (code, found["is_edited"]) == (1, False)


def test_page_whose_words_were_changed_is_edited(board: Path, verify: Any) -> None:
    board.write_text(board.read_text().replace("<h1>Leaderboard", "<h1>Best of all"))
    code, found = verify(board)
    assert (code, found["is_edited"]) == (1, True)
    assert set(states(found).values()) == {"holds"}


def test_page_of_another_version_is_judged_by_its_data(board: Path, verify: Any) -> None:
    other = board.read_text().replace(template().digest, "0" * 64).replace("<h1>", "<h1 >")
    board.write_text(other)
    assert verify(board)[0] == 0
    board.write_text(other.replace("ppo", "PPO"))
    assert verify(board)[1]["is_edited"]


def test_numbers_that_differ_by_rounding_alone_hold(board: Path, verify: Any) -> None:
    data = data_in(board.read_text())
    data["leaderboard"]["groups"][0]["std"] *= 1 + 1e-12
    board.write_text(render_page(data))
    assert verify(board)[0] == 0
    data["leaderboard"]["groups"][0]["std"] *= 1 + 1e-7
    board.write_text(render_page(data))
    assert verify(board)[0] == 1


def damaged(text: str, what: str) -> str:
    if what == "no data":
        return text.replace('id="axiomrl-data"', 'id="other"')
    if what == "torn":
        return text[: text.index('"leaderboard"')]
    data = data_in(text)
    if what == "newer":
        data["page_version"] = 2
    elif what == "settings":
        data["recipe"]["question"]["min_seeds"] = "many"
    elif what == "statistic":
        data["recipe"]["question"]["statistic"] = "mode"
    elif what == "groups":
        data["groups"][0] = 5
    elif what == "roots":
        del data["groups"][0]["runs"][0]["root"]
    else:
        data["kind"] = "shopping list"
    return render_page(data)


@pytest.mark.parametrize(
    "what", ["no data", "torn", "newer", "settings", "statistic", "groups", "roots", "kind"]
)
def test_file_that_is_no_such_page_exits_with_2(what: str, board: Path, verify: Any) -> None:
    board.write_text(damaged(board.read_text(), what))
    code, found = verify(board)
    assert code == 2
    assert found["error"].startswith(f"error: {board}: ")


def test_missing_file_folder_and_bytes_are_no_pages(board: Path, verify: Any) -> None:
    assert verify(board.with_name("none.html"))[0] == 2
    assert verify(board.parent)[0] == 2
    board.write_bytes(b"\xff\xfe\x00")
    assert verify(board)[0] == 2
    assert main(["report", "verify"]) == 2


def test_options_of_the_report_do_not_concern_verify(
    board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--algo", "ppo", "verify", str(board)]) == 2
    assert "--algo" in capsys.readouterr().err


def test_report_alone_still_shows_runs(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["report", "--runs-dir", str(runs), "--output-format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 8


def test_suite_and_its_manifest_are_computed_again(
    runs: Path, board: Path, tmp_path: Path, verify: Any
) -> None:
    for env_id in ("CartPole-v1", "Acrobot-v1", "Pendulum-v1"):
        more: dict[str, Any] = {"benchmark": {"suite": "s"}, "config_hash": env_id.ljust(16, "0")}
        write_group(runs, f"suite-{env_id}", [1, 2, 3], env_id=env_id, algo="sac", **more)
    make_page(board, "--runs-dir", runs, "--env-id", "*", "--where", "algo == 'sac'")
    code, found = verify(board)
    assert (code, states(found, "entrant")) == (0, {"sac": "holds"})
    edit_metadata(runs / "suite-Acrobot-v1-0", latest_metrics={"eval_return_mean": 400.0})
    assert states(verify(board)[1], "entrant") == {"sac": "differs"}


MANIFEST = """\
schema_version: 1
suite: own
protocol: {name: deterministic-10-episodes, episodes: 10}
presets:
  - {name: ppo-cartpole, config: ppo/cartpole.yaml}
  - {name: ppo-acrobot, config: ppo/acrobot.yaml}
normalization:
  CartPole-v1: {random_score: 0, human_score: RIGHT}
"""


def test_suite_of_ones_own_is_read_again(runs: Path, board: Path, verify: Any) -> None:
    manifest = runs.parent / "own.yaml"
    manifest.write_text(MANIFEST.replace("RIGHT", "100"))
    write_run(runs / "own", algo="sac", score=50.0, benchmark={"suite": "own"})
    make_page(board, "--runs-dir", runs, "--manifest", manifest)
    assert verify(board)[0] == 0
    manifest.write_text(MANIFEST.replace("RIGHT", "200"))
    check = check_of(verify(board)[1], "sac")
    assert {"what": "normalized", "before": 0.5, "now": 0.25} in check["differences"]
    manifest.unlink()
    code, found = verify(board)
    assert code == 1
    assert "own.yaml" in found["obstacle"]
