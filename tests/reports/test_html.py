"""A leaderboard as one page that holds everything and asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from axiomrl.cli.app import main
from axiomrl.reports.document import Document
from axiomrl.reports.html_data import MOST_POINTS, thinned
from axiomrl.reports.renderers import render_document
from axiomrl.reports.renderers.html_format import embedded, render_page, template
from axiomrl.reports.table import Table

from .pages import HOSTILE, Elements, data_in, make_page, write_hostile_runs
from .run_files import write_group, write_run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two environments with three groups, curves, and configurations that differ."""
    root = tmp_path / "runs"
    curve = [(step, step / 10) for step in range(0, 50, 10)]
    for name, scores, gamma in (("good", [9, 10, 11], 0.99), ("bad", [1, 2, 3], 0.9)):
        config = {"algo": "ppo", "seed": 1, "hyperparameters": {"gamma": gamma, "tau": 1}}
        more: dict[str, Any] = {"config_hash": name[0] * 16, "curve": curve, "config": config}
        write_group(root, name, scores, **more)
    write_group(root, "other", [5, 6, 7, 8, 9], env_id="Pendulum-v1", algo="sac")
    return root


@pytest.fixture
def page(runs: Path, tmp_path: Path) -> str:
    return make_page(tmp_path / "board.html", "--runs-dir", runs)


# What is in it


def test_data_holds_the_numbers_of_the_json_leaderboard(
    runs: Path, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["leaderboard", "--runs-dir", str(runs), "--output-format", "json"]) == 0
    assert data_in(page)["leaderboard"] == json.loads(capsys.readouterr().out)


def test_every_group_has_its_curve_and_every_run_its_digests(runs: Path, page: str) -> None:
    groups = data_in(page)["groups"]
    assert [each["group"] for each in groups] == ["ppo gamma=0.9", "ppo gamma=0.99", "sac"]
    curve = groups[0]["curve"]
    assert (curve["points"], curve["steps"]) == (5, [0, 10, 20, 30, 40])
    assert (curve["value"], curve["n"]) == ([0, 1, 2, 3, 4], [3] * 5)
    assert curve["low"] == curve["high"] == curve["value"]  # the three runs are alike
    assert groups[2]["curve"] is None
    run = groups[0]["runs"][0]
    assert (run["root"], run["path"]) == (0, "bad-0")
    for name, digest in run["sha256"].items():
        assert digest == hashlib.sha256((runs / "bad-0" / name).read_bytes()).hexdigest()
    assert set(run["sha256"]) == {"metadata.json", "metrics.jsonl"}
    assert groups[2]["runs"][0]["sha256"]["metrics.jsonl"] is None


def test_settings_are_those_in_which_groups_of_an_environment_differ(page: str) -> None:
    data = data_in(page)
    assert [each["settings"] for each in data["groups"]] == [
        {"hyperparameters.gamma": "0.9"},
        {"hyperparameters.gamma": "0.99"},
        {},
    ]
    values = data["environments"][0]["settings"]
    assert values == {"hyperparameters.gamma": [["0.9", 1], ["0.99", 1]]}


def test_run_that_is_not_configured_as_its_group_says_in_what(runs: Path, tmp_path: Path) -> None:
    config = {"algo": "ppo", "hyperparameters": {"gamma": 0.9, "tau": 5}, "extra": True}
    write_run(runs / "odd", seed=7, config_hash="b" * 16, config=config)
    groups = data_in(make_page(tmp_path / "odd.html", "--runs-dir", runs))["groups"]
    *alike, odd = (run["settings"] for run in groups[0]["runs"])
    assert alike == [{}, {}, {}]
    assert odd == {"hyperparameters.tau": "5", "extra": "true"}


def test_settings_can_be_missing_in_some_groups(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    for name, config in (("a", {"algo": "dqn", "x": 1}), ("b", {"algo": "dqn"}), ("c", None)):
        write_group(runs, name, [1, 2, 3], config_hash=name * 16, config=config)
    data = data_in(make_page(tmp_path / "board.html", "--runs-dir", runs))
    assert data["environments"][0]["settings"] == {
        "algo": [["dqn", 2], [None, 1]],
        "x": [[None, 2], ["1", 1]],
    }


def test_page_says_how_it_was_computed(runs: Path, tmp_path: Path) -> None:
    words = ("--statistic", "iqm", "--reduce", "last-window", "--threshold", "3", "--tag", "t")
    write_run(runs / "tagged", seed=7, tags=["t"], score=2.0, curve=[(0, 2.0)])
    page = make_page(tmp_path / "board.html", "--runs-dir", runs, *words, "--min-seeds", "1")
    data = data_in(page)
    told = dict(data["explanations"])
    assert told["Metric"].endswith("more is better.")
    assert told["Score of a run"].startswith("last-window: the mean of the last 10 evaluations")
    assert "lowest and the highest quarter" in told["Score of a group"]
    assert "20,000 resamples" in told["Interval"]
    assert "seed 0" in told["Interval"]
    assert "beyond 3" in told["Time to the threshold"]
    assert str(runs) in told["Runs"]
    assert "tag t" in told["Runs"]
    assert "status completed or unknown" in told["Runs"]
    assert data["made"]["command"][:2] == ["axiomrl", "leaderboard"]
    assert set(data["made"]["versions"]) == {"axiomrl", "numpy", "python"}


def test_long_curves_are_thinned_to_points_that_were_evaluated(tmp_path: Path) -> None:
    curve = [(step * 7, float(step)) for step in range(400)]
    for seed in range(3):
        write_run(tmp_path / "runs" / str(seed), seed=seed, curve=curve)
    (group,) = data_in(make_page(tmp_path / "b.html", "--runs-dir", tmp_path / "runs"))["groups"]
    drawn = group["curve"]
    assert (drawn["points"], len(drawn["steps"])) == (400, MOST_POINTS)
    assert (drawn["steps"][0], drawn["steps"][-1]) == (0, 399 * 7)
    assert drawn["value"] == [step / 7 for step in drawn["steps"]]


@pytest.mark.parametrize("count", [1, 2, 60, 61, 62, 121, 122, 1000, 12345])
def test_thinning_keeps_both_ends_and_spreads_evenly(count: int) -> None:
    kept = thinned(count)
    assert len(kept) == min(count, MOST_POINTS)
    assert (kept[0], kept[-1]) == (0, count - 1)
    gaps = {after - before for before, after in itertools.pairwise(kept)}
    assert max(gaps, default=1) - min(gaps, default=1) <= 1


def test_small_scores_get_as_many_decimals_as_tell_them_apart(tmp_path: Path) -> None:
    write_group(tmp_path / "runs", "a", [0.00101, 0.00102, 0.00105])
    data = data_in(make_page(tmp_path / "board.html", "--runs-dir", tmp_path / "runs"))
    assert data["environments"][0]["decimals"] == 7


def test_numbers_that_a_browser_would_round_are_texts(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "a", seed=2**60 + 1)
    data = data_in(make_page(tmp_path / "board.html", "--runs-dir", tmp_path / "runs"))
    assert data["leaderboard"]["runs"][0]["seed"] == str(2**60 + 1)


def test_reader_without_scripts_gets_the_leaderboard_as_text(page: str) -> None:
    text = "".join(data for tag, data in Elements(page).texts if tag == "pre")
    assert "CartPole-v1: eval_return_mean, final" in text
    assert re.search(r"1 +1 +ppo gamma=0.99 +3 +10.00", text)


# What it keeps out


def test_page_refers_to_nothing_outside(page: str) -> None:
    elements = Elements(page)
    assert {"src", "action", "srcdoc", "style", "onload"}.isdisjoint(
        name for _, attributes in elements.tags for name in attributes
    )
    assert list(elements.attributes("href")) == ["#boards"]
    assert {"link", "iframe", "img", "object", "embed", "base", "form"}.isdisjoint(
        tag for tag, _ in elements.tags
    )
    own = template()
    addresses = re.findall(r"https?://[^\s\"']+", own.page + own.style + own.script)
    assert addresses == ["http://www.w3.org/2000/svg"]  # a name, never asked for
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", own.style + own.script)


def test_policy_allows_the_own_style_and_script_and_nothing_else(page: str) -> None:
    elements = Elements(page)
    (policy,) = (
        each["content"]
        for each in elements.named("meta")
        if each.get("http-equiv") == "Content-Security-Policy"
    )
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    expected = [
        f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for kind, text in (("script", script), ("style", style))
    ]
    assert policy == "; ".join(
        ["default-src 'none'", *expected, "base-uri 'none'", "form-action 'none'"]
    )


def test_script_never_parses_text_as_markup() -> None:
    ways = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|Function\("
    assert not re.search(ways, template().script)


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    write_hostile_runs(tmp_path / "runs")
    harmless = make_page(tmp_path / "empty.html", "--status", "all", "--runs-dir", tmp_path)
    words = ("--runs-dir", tmp_path / "runs", "--status", "all")
    page = make_page(tmp_path / "board.html", *words)
    assert [tag for tag, _ in Elements(page).tags] == [tag for tag, _ in Elements(harmless).tags]
    data = data_in(page)
    assert len(data["leaderboard"]["groups"]) == 2
    assert data["leaderboard"]["groups"][0]["env_id"] == HOSTILE
    assert data["leaderboard"]["problems"]
    settings = [each["settings"][f"{HOSTILE}.{HOSTILE}"] for each in data["groups"]]
    assert {f"{HOSTILE}0", f"{HOSTILE}1"} < set(settings)


@pytest.mark.parametrize("text", ["</script>", "<!--", "&lt;", "\u2028", "\udcff", "{{title}}"])
def test_embedded_data_is_ascii_without_markup(text: str) -> None:
    written = embedded({text: [text]})
    assert written.isascii()
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {text: [text]}


def test_metric_in_the_title_is_escaped(page: str) -> None:
    data = data_in(page)
    data["leaderboard"]["metric"] = HOSTILE
    texts = Elements(render_page(data)).texts
    assert [text for tag, text in texts if tag == "title"] == [f"Leaderboard: {HOSTILE}"]


# Its size, and when there is none


def test_hundred_groups_of_ten_runs_stay_under_three_megabytes(tmp_path: Path) -> None:
    curve = [(step * 1000, step**0.5 + 1 / 3) for step in range(1, 100)]
    config = {"hyperparameters": {"gamma": 0.99, "hidden_sizes": [64, 64]}}
    for number in range(100):
        name = f"ppo__CartPole-v1__{number}__20260101-120000-000000"
        more: dict[str, Any] = {"curve": curve if number < 10 else curve[:3], "config": config}
        scores = [number + seed / 7 for seed in range(10)]
        write_group(tmp_path / "runs", name, scores, config_hash=f"{number:016x}", **more)
    file = tmp_path / "board.html"
    page = make_page(file, "--runs-dir", tmp_path / "runs", "--no-index")
    data = data_in(page)
    size_of_curve = len(json.dumps(data["groups"][0]["curve"]))
    left_out = sum(
        size_of_curve - len(json.dumps(each["curve"])) for each in data["groups"]
    )  # as if all curves were long: writing them all would take seconds
    assert len(data["leaderboard"]["runs"]) == 1000
    assert file.stat().st_size + left_out < 3_000_000


@pytest.mark.parametrize("view", ["report", "table", "commands"])
def test_only_leaderboards_have_pages(
    view: str, runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["zoo", "--format", view, "--runs-dir", str(runs), "--output-format", "html"]
    assert main(words) == 2
    assert "leaderboard --output-file board.html" in capsys.readouterr().err
    with pytest.raises(ValueError, match="report has no page"):
        render_document(Document("report", (), Table((), ())), "html")


def test_page_can_go_to_stdout(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["leaderboard", "--runs-dir", str(runs), "--output-format", "html"]) == 0
    assert data_in(capsys.readouterr().out)["kind"] == "axiomrl leaderboard page"


def test_folder_without_runs_gives_a_page_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    data = data_in(make_page(tmp_path / "board.html", "--runs-dir", tmp_path / "runs"))
    assert data["groups"] == data["environments"] == []


def test_template_lies_beside_the_renderer_as_readable_files() -> None:
    folder = Path(render_page.__code__.co_filename).parent / "html"
    names = {path.name for path in folder.iterdir()}
    assert {"page.html", "style.css"} < names
    assert {name for name in names if name.endswith(".js")} == {
        "elements.js",
        "tables.js",
        "curves.js",
        "groups.js",
        "page.js",
    }
    assert "</script" not in template().script
    assert "<!--" not in template().script
    assert max(len(path.read_text().splitlines()) for path in folder.iterdir()) <= 400
