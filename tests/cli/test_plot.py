"""`axiomrl plot`: which file it writes, what it says, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from axiomrl.reports.plots import MOST_STYLES
from axiomrl.runs.provenance import this_process

from .conftest import Command
from .written_runs import log, write_run


def write_group(algo: str, *, env_id: str = "CartPole-v1", runs: int = 3, top: float = 9.0) -> None:
    for seed in range(runs):
        values = [0.0, top / 2 + seed, top + seed]
        directory = write_run(
            f"{algo}-{env_id}-{seed}",
            algo=algo,
            env_id=env_id,
            seed=seed,
            config_hash=algo,
            latest_metrics={"eval_return_mean": values[-1]},
        )
        for step, value in enumerate(values):
            log(directory, {"step": step, "time_s": step / 10, "eval_return_mean": value})


@pytest.fixture
def runs() -> None:
    write_group("ppo")
    write_group("dqn", top=12.0)


@pytest.mark.usefixtures("runs")
def test_a_plot_is_written_where_the_suffix_says_how(axiomrl: Command) -> None:
    for file, begin in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.PDF", b"%PDF")):
        outcome = axiomrl("plot", "curves", "--output-file", file)
        assert (outcome.code, outcome.stdout) == (0, "")
        assert outcome.stderr == f"written: {file}\n"
        assert Path(file).read_bytes().startswith(begin)


@pytest.mark.usefixtures("runs")
def test_without_a_name_the_file_is_called_like_its_kind(axiomrl: Command) -> None:
    assert axiomrl("plot", "intervals").stderr == "written: intervals.png\n"
    assert Path("intervals.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("runs")
def test_a_file_that_is_there_is_kept_without_force(axiomrl: Command) -> None:
    Path("intervals.png").write_text("mine")
    outcome = axiomrl("plot", "intervals")
    assert outcome.code == 2
    assert outcome.error_lines[0] == "error: intervals.png exists already"
    assert Path("intervals.png").read_text() == "mine"
    assert axiomrl("plot", "intervals", "--force").code == 0
    assert Path("intervals.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.usefixtures("runs")
def test_the_runs_are_those_that_the_options_of_zoo_choose(axiomrl: Command) -> None:
    write_group("sac", runs=1)
    file = Path("plot.svg")
    words = ("plot", "intervals", "--output-file", file, "--force")
    for options, drawn in (
        ((), {"ppo", "dqn", "sac"}),
        (("--algo", "d*"), {"dqn"}),
        (("--where", "algo != 'dqn'"), {"ppo", "sac"}),
        (("--min-seeds", "2"), {"ppo", "dqn"}),
    ):
        assert axiomrl(*words, *options).code == 0
        text = file.read_text()
        assert {name for name in ("ppo", "dqn", "sac") if f">{name}</text>" in text} == drawn


@pytest.mark.usefixtures("runs")
def test_what_is_left_out_is_told_beside_and_in_the_picture(axiomrl: Command) -> None:
    words = ("--top-k", "1", "--output-file", "p.svg", "--width", "8")
    outcome = axiomrl("plot", "intervals", *words)
    told = "not drawn, beyond the first 1 (--top-k): ppo"
    assert outcome.error_lines == [told, "written: p.svg"]
    assert f"N{told[1:]}." in Path("p.svg").read_text()


@pytest.mark.usefixtures("runs")
def test_the_caption_is_printed_where_it_is_not_drawn(axiomrl: Command) -> None:
    outcome = axiomrl(
        "plot", "curves", "--no-caption", "--statistic", "iqm", "--output-file", "p.svg"
    )
    assert outcome.error_lines[0].startswith("Line: IQM over runs")
    assert "IQM over runs" not in Path("p.svg").read_text()


@pytest.mark.usefixtures("runs")
def test_time_title_and_size_can_be_chosen(axiomrl: Command) -> None:
    words = ("--x", "wall_time", "--title", "A title", "--width", "6", "--height", "5")
    assert axiomrl("plot", "curves", "--output-file", "p.svg", *words).code == 0
    text = Path("p.svg").read_text()
    assert ">A title</text>" in text
    assert ">training time</text>" in text
    assert 'viewBox="0 0 432 360"' in text


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["curve"], "'curve' is no kind of plot", "did you mean: curves"),
        (["xyz"], "'xyz' is no kind of plot", "there are: curves, intervals, profiles"),
        (
            ["curves", "--output-file", "a.jpg"],
            "the suffix '.jpg' is no format",
            ".png, .svg, .pdf",
        ),
        (["curves", "--output-file", "plain"], "suffix '' is no format", ".png, .svg, .pdf"),
        (["curves", "--output-file", "no/a.png"], "there is no folder no", ""),
        (["curves", "--output-file", "folder.png"], "is a folder", ""),
        (["curves", "--x", "time"], "--x 'time'", "did you mean: wall_time"),
        (["profiles", "--x", "wall_time"], "profiles are not drawn over time", "leave --x out"),
        (["curves", "--width", "0.5"], "--width 0.5: must be from 1 to 50", ""),
        (["curves", "--height", "nan"], "--height nan: must be from 1 to 50", ""),
        (["curves", "--height", "1"], "--height 1: too little", "inches suit it"),
        (["curves", "--top-k", "0"], "--top-k 0: must be at least 1", ""),
        (["curves", "--top-k", "99"], f"--top-k 99: no more than {MOST_STYLES}", ""),
        (["curves", "--statistic", "men"], "--statistic 'men'", "did you mean: mean"),
        (["curves", "--algo", "none"], "nothing to draw", "none of the 6 runs is left"),
        (["curves", "--manifest", "no.yaml"], "no.yaml", ""),
        (["efficiency", "--metric", "eval_returns"], "eval_returns", ""),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    axiomrl: Command, words: list[str], message: str, hint: str
) -> None:
    Path("folder.png").mkdir()
    before = set(Path.cwd().rglob("*"))
    outcome = axiomrl("plot", *words)
    assert outcome.code == 2
    assert outcome.error_lines[0].startswith("error: ")
    assert message in outcome.error_lines[0]
    assert hint in outcome.stderr
    assert set(Path.cwd().rglob("*")) == before


def test_no_runs_at_all_are_nothing_to_draw(axiomrl: Command) -> None:
    outcome = axiomrl("plot", "curves")
    assert outcome.code == 2
    assert outcome.error_lines[0] == "error: nothing to draw"
    assert "no runs found" in outcome.error_lines[1]


@pytest.mark.usefixtures("runs")
def test_a_disk_that_refuses_is_an_error_that_names_the_file(
    axiomrl: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", refuse)
    outcome = axiomrl("plot", "intervals", "--no-index")
    assert outcome.code == 1
    assert outcome.error_lines[0] == "error: intervals.png: cannot be written: Permission denied"
    assert list(Path.cwd().glob("*.png")) == []


@pytest.mark.usefixtures("runs")
def test_runs_that_cannot_be_read_are_named_and_fail_only_if_asked(axiomrl: Command) -> None:
    Path("runs/broken").mkdir()
    Path("runs/broken/metadata.json").write_text("{")
    for options, code in (((), 0), (("--strict", "--force"), 1)):
        outcome = axiomrl("plot", "intervals", *options)
        assert outcome.code == code
        assert outcome.stderr.startswith("warning: runs/broken")
    assert Path("intervals.png").exists()


@pytest.mark.usefixtures("runs")
def test_running_runs_are_drawn_if_asked_for(axiomrl: Command) -> None:
    directory = write_run("now", algo="sac", status="running", process=this_process())
    log(directory, {"step": 0, "eval_return_mean": 1.0}, {"step": 9, "eval_return_mean": 2.0})
    words = ("plot", "curves", "--status", "all", "--output-file", "p.svg")
    assert axiomrl(*words).code == 0
    assert ">sac</text>" in Path("p.svg").read_text()


@pytest.mark.usefixtures("runs")
def test_tables_load_no_plotting_library_and_plots_no_other_heavy_one() -> None:
    script = """\
import json, sys
from axiomrl.cli.app import main
HEAVY = ("torch", "gymnasium", "pandas", "matplotlib", "matplotlib.pyplot")
loaded = []
for words in (["leaderboard"], ["report"], ["plot", "intervals"]):
    assert main(words) == 0
    loaded.append([name for name in HEAVY if name in sys.modules])
print(json.dumps(loaded))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [[], [], ["matplotlib"]]


def test_names_of_runs_do_not_steer_the_terminal(axiomrl: Command) -> None:
    write_group("ppo")
    write_group("a\x1b[2Jb", top=-5.0)
    outcome = axiomrl("plot", "intervals", "--top-k", "1")
    assert outcome.error_lines[0].endswith("(--top-k): a\\x1b[2Jb")
    assert "\x1b" not in outcome.stderr
