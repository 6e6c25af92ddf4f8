"""A leaderboard's page in a real browser: sorting, filtering, curves, keyboard, widths, themes."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from ..pages import HOSTILE, data_in
from .chromium import Chromium, Page

pytestmark = pytest.mark.browser

NAMES = ".board .line .name .label"
WIDTHS = {"phone": 360, "tablet": 800, "desktop": 1280}


def header(title: str) -> str:
    """The selector of a sort button of the first board."""
    places = ["Rank", "Places", "Group", "Seeds", "Score", "95 % interval", "std", "Normalised"]
    return f".board th:nth-child({places.index(title) + 1}) .sort"


def sorted_states(tab: Page) -> list[str]:
    states: list[str] = tab.do(
        "return [...document.querySelectorAll('.board')[0].querySelectorAll('thead th')]"
        ".map((each) => each.getAttribute('aria-sort'));"
    )
    return states


# Sorting and filtering


def test_boards_are_sorted_by_a_click_and_say_so(tab: Page, board: Path) -> None:
    tab.open(board)
    first = [name for name in tab.texts(NAMES) if name != "sac"]
    assert first[:2] == ["ppo gamma=0.6", "ppo gamma=0.5"]
    assert sorted_states(tab)[0] == "ascending"
    tab.click(header("Score"))
    assert sorted_states(tab) == ["none"] * 4 + ["descending"] + ["none"] * 3
    assert tab.texts("#said") == ["Sorted by Score, descending"]
    tab.click(header("Score"))
    by_score = [float(text) for text in tab.texts(".board td.score")][:8]
    assert by_score == sorted(by_score)
    tab.click(header("Group"))
    names = tab.texts(NAMES)[:8]
    assert names == sorted(names)


@pytest.mark.parametrize("clicks", [1, 2])
def test_what_is_missing_comes_last_either_way(tab: Page, board: Path, clicks: int) -> None:
    tab.open(board)
    for _ in range(clicks):
        tab.click(header("95 % interval"))
    assert tab.texts(NAMES)[7] == "dqn"  # too few seeds for an interval


def test_words_filter_groups_of_all_environments(tab: Page, board: Path) -> None:
    tab.open(board)
    assert tab.texts("#count") == ["10 of 10 groups"]
    tab.click("#words")
    tab.type("ppo gamma=0.3")
    assert tab.texts(NAMES) == ["ppo gamma=0.3"]
    assert tab.texts("#count") == ["1 of 10 groups"]
    assert tab.texts("#boards h2") == ["CartPole-v1"]
    tab.click("#clear")
    assert tab.texts("#count") == ["10 of 10 groups"]
    assert tab.do("return document.activeElement.id") == "words"


def test_lists_filter_by_environment_and_algorithm(tab: Page, board: Path) -> None:
    tab.open(board)
    choose = (
        "const list = document.getElementById('%s');"
        "list.selectedIndex = [...list.options].findIndex((each) => each.textContent === '%s');"
        "list.dispatchEvent(new Event('change'));"
    )
    tab.do(choose % ("environment", "Pendulum-v1"))
    assert tab.texts(".line .name .label") == ["sac", "td3"]
    tab.do(choose % ("algorithm", "td3"))
    assert tab.texts(".line .name .label") == ["td3"]
    assert tab.texts("#count") == ["1 of 10 groups"]


def test_group_without_a_rank_stands_below_with_its_reason(tab: Page, board: Path) -> None:
    tab.open(board)
    assert tab.texts(".unranked .wide-text .sort, .unranked td.wide-text") == [
        "Why it is not ranked",
        "no eval_return_mean in metadata.json and metrics.jsonl",
    ]


# What opens


def test_group_opens_with_its_runs_and_settings(tab: Page, board: Path) -> None:
    tab.open(board)
    tab.click(".board .opener")
    assert (
        tab.do("return document.querySelector('.opener').getAttribute('aria-expanded')") == "true"
    )
    assert tab.texts(".detail .runs .label") == [f"ppo-6-{seed}" for seed in range(4)]
    assert tab.texts(".detail .settings tbody tr") == [
        "algoppodqn",
        "hyperparameters.gamma0.60, 0.1, 0.2, 0.3, 0.4, 2 more",
        "hyperparameters.tau1not set",
    ]
    tab.click(".detail .opener")
    assert str(board.parent / "runs" / "ppo-6-0") in tab.texts(".detail .detail dd")
    tab.click(".board .opener")
    assert tab.texts(".detail .runs .label") == []


def test_superseded_run_is_listed_with_the_one_that_counts(tab: Page, board: Path) -> None:
    tab.open(board)
    assert tab.texts("#runs summary") == ["All runs: 34 runs and 1 superseded"]
    tab.click("#runs summary")
    told = [text for text in tab.texts("#runs td.wide-text") if text.startswith("superseded")]
    assert told == [
        "superseded: same configuration and seed as sac-0, "
        "which has more env steps (1,000 against 1)"
    ]


def test_page_says_how_numbers_were_computed_and_how_to_check_them(tab: Page, board: Path) -> None:
    tab.open(board)
    terms = tab.texts("#method dt")
    assert {"Metric", "Score of a group", "Interval", "Rank", "Command", "Check it"} <= set(terms)
    assert any("axiomrl report verify" in text for text in tab.texts("#method dd"))
    assert tab.texts("#problems") == ["None: every run was read in full."]


# Curves


def test_hovering_shows_the_values_of_the_nearest_step(tab: Page, board: Path) -> None:
    tab.open(board)
    x, y = tab.middle_of(".curves svg")
    tab.move_to(x, y)
    (tip,) = tab.texts(".tip")
    step = int(tip.split("ppo")[0].removeprefix("step ").replace(",", ""))
    groups = {each["group"]: each["curve"] for each in data_in(board.read_text())["groups"]}
    curve = groups["ppo gamma=0.6"]
    place = curve["steps"].index(step)
    assert f"ppo gamma=0.6 {curve['value'][place]:.2f}" in tip
    assert f"[{curve['low'][place]:.2f}, {curve['high'][place]:.2f}]" in tip
    assert tab.texts(".steps output")[0] == f"step {step:,}"
    row = tab.texts(".readout tbody tr")[0]
    assert row.startswith(f"ppo gamma=0.6{curve['value'][place]:.2f}")
    tab.move_to(5, 5)
    assert tab.texts(".tip") == []


def test_curves_are_drawn_where_their_values_are(tab: Page, board: Path) -> None:
    tab.open(board)
    points = tab.do(
        "return document.querySelector('.curve.curve-0').getAttribute('points').split(' ')"
        ".map((each) => each.split(',').map(Number));"
    )
    groups = {each["group"]: each["curve"] for each in data_in(board.read_text())["groups"]}
    curve = groups["ppo gamma=0.6"]
    assert len(points) == len(curve["steps"]) == 61
    scale = (points[-1][1] - points[0][1]) / (curve["value"][-1] - curve["value"][0])
    assert scale < 0  # more is higher
    for (_, y), value in zip(points, curve["value"], strict=True):
        assert y == pytest.approx(points[0][1] + scale * (value - curve["value"][0]), abs=0.01)


def test_thinning_is_said(tab: Page, board: Path) -> None:
    tab.open(board)
    assert "61 of 100 points of each shown" in tab.texts(".curves figcaption")[0]


def test_arrow_keys_move_along_the_curves(tab: Page, board: Path) -> None:
    tab.open(board)
    tab.do("document.querySelector('.steps input').focus()")
    before = tab.texts(".steps output")[0]
    tab.press("ArrowLeft")
    after = tab.texts(".steps output")[0]
    assert before != after
    told = tab.do("return document.querySelector('.steps input').getAttribute('aria-valuetext')")
    assert told.startswith(f"{after}; ppo gamma=0.6 ")
    tab.press("Home")
    assert tab.texts(".steps output")[0] == "step 100"


def test_curves_are_chosen_in_the_board(tab: Page, board: Path) -> None:
    tab.open(board)
    assert tab.texts(".curves figcaption p")[0].startswith("5 of 8 curves drawn")
    last = ".board .line:nth-of-type(8) .swatch"
    assert (
        tab.do(f"return document.querySelector('{last}').getAttribute('aria-pressed')") == "false"
    )
    tab.click(last)
    assert tab.do(f"return document.querySelector('{last}').getAttribute('aria-pressed')") == "true"
    assert tab.texts(".curves figcaption p")[0].startswith("6 of 8 curves drawn")
    for _ in range(6):
        tab.click(".curves .remove")
    assert tab.texts(".readout")[0] == "No curve is drawn."


def test_all_drawn_values_can_be_read_as_a_table(tab: Page, board: Path) -> None:
    tab.open(board)
    tab.click(".curves summary")
    rows = tab.texts(".curves details tbody tr")
    assert len(rows) == 61
    assert rows[0].startswith("100")
    assert tab.texts(".curves details thead th")[:2] == ["step", "ppo gamma=0.6"]


# Keyboard, and readers that do not see


def test_everything_can_be_reached_and_used_by_keyboard(tab: Page, board: Path) -> None:
    tab.open(board)
    reached: list[str] = []
    for _ in range(18):
        tab.press("Tab")
        name, outline = tab.do(
            "const at = document.activeElement;"
            "return [at.id || at.textContent || at.className, getComputedStyle(at).outlineStyle];"
        )
        assert outline != "none", name
        reached.append(name)
    assert reached[:6] == [
        "Skip to the leaderboards", "theme", "words", "environment", "algorithm", "clear",
    ]  # fmt: skip
    assert reached[6:14] == [
        "Rank", "Places", "Group", "Seeds", "Score", "95 % interval", "std", "Normalised",
    ]  # fmt: skip
    tab.do(f"document.querySelector({json.dumps(header('Score'))}).focus()")
    tab.press("Enter")
    assert sorted_states(tab)[4] == "descending"
    tab.do("document.querySelector('.opener').focus()")
    tab.press(" ")
    assert len(tab.texts(".detail .runs .label")) == 4


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_tables_are_tables_to_assistive_technology(tab: Page, board: Path, width: int) -> None:
    tab.resize(width)
    tab.open(board)
    tab.click(".board .opener")
    nodes = tab.send("Accessibility.getFullAXTree")["nodes"]
    names: dict[str, list[str]] = {}
    for node in nodes:
        role = node.get("role", {}).get("value", "")
        names.setdefault(role, []).append(node.get("name", {}).get("value", ""))
    assert {"Ranked groups of CartPole-v1", "Runs of ppo gamma=0.6"} <= set(names["table"])
    assert {"Rank", "Group", "Score"} <= {name.strip(" ↕↑↓") for name in names["columnheader"]}
    assert any(name.startswith("5 of 8 curves drawn") for name in names.get("image", []))
    assert "Values at" in names["slider"]
    assert all(names["button"])


def test_every_table_has_a_caption_and_every_heading_a_scope(tab: Page, board: Path) -> None:
    tab.open(board)
    tab.click(".board .opener")
    tab.click("#runs summary")
    tab.click(".curves summary")
    assert tab.do(
        "return [...document.querySelectorAll('table')]"
        ".filter((each) => !each.caption || !each.caption.textContent).length"
    ) == 0  # fmt: skip
    assert tab.do("return document.querySelectorAll('th:not([scope])').length") == 0


CONTRAST = """
const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
const light = (rgb) => {
  const [r, g, b] = rgb.map((each) => each / 255)
    .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (node) => {
  for (let at = node; at; at = at.parentElement) {
    const [r, g, b, alpha = 1] = parse(getComputedStyle(at).backgroundColor);
    if (alpha === 1) return [r, g, b];
  }
  return [255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const poor = [];
while (walker.nextNode()) {
  const owner = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || !owner.checkVisibility()) continue;
  const style = getComputedStyle(owner);
  const front = parse(owner.closest('svg') ? style.fill : style.color).slice(0, 3);
  const pair = [light(front), light(behind(owner))].sort((a, b) => b - a);
  const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
  if (ratio < 4.5) poor.push([owner.textContent.slice(0, 40), ratio]);
}
return poor;
"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_has_the_contrast_that_wcag_aa_asks_for(
    tab: Page, board: Path, theme: str
) -> None:
    tab.prefer(prefers_color_scheme=theme)
    tab.open(board)
    tab.click(".board .opener")
    tab.click("#runs summary")
    assert tab.do(CONTRAST) == []


def test_theme_follows_the_system_until_it_is_chosen(tab: Page, board: Path) -> None:
    colour = "return getComputedStyle(document.body).backgroundColor"
    tab.prefer(prefers_color_scheme="light")
    tab.open(board)
    light = tab.do(colour)
    tab.prefer(prefers_color_scheme="dark")
    dark = tab.do(colour)
    assert (light, dark) == ("rgb(246, 247, 249)", "rgb(14, 18, 24)")
    assert tab.texts("#theme") == ["Light theme"]
    tab.click("#theme")
    assert tab.do(colour) == light
    assert tab.texts("#theme") == ["Dark theme"]
    tab.click("#theme")
    assert tab.do(colour) == dark


def test_nothing_moves_for_those_who_asked_for_it(tab: Page, board: Path) -> None:
    tab.prefer(prefers_reduced_motion="reduce")
    tab.open(board)
    moving = (
        "return [...document.querySelectorAll('*')].filter((each) => ['', '::before'].some((part)"
        " => { const s = getComputedStyle(each, part || null);"
        " return parseFloat(s.transitionDuration) > 0 || s.animationName !== 'none'; })).length"
    )
    assert tab.do(moving) == 0
    tab.prefer(prefers_reduced_motion="no-preference")
    assert tab.do(moving) > 0


# Widths and sizes


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_nothing_is_wider_than_the_window(
    tab: Page, board: Path, hostile: Path, width: int
) -> None:
    for file in (board, hostile):
        tab.resize(width)
        tab.open(file)
        tab.do("for (const each of document.querySelectorAll('.opener')) each.click()")
        tab.do("for (const each of document.querySelectorAll('summary')) each.click()")
        tab.settle()
        assert tab.do("return document.documentElement.scrollWidth") <= width


def test_hundred_groups_of_ten_runs_are_shown_in_parts(tab: Page, large: Path) -> None:
    tab.open(large)
    assert tab.do("return document.querySelectorAll('*').length") < 3000
    assert len(tab.texts(NAMES)) == 25
    assert tab.texts(".more")[0] == "25 of 100 rows shown. Show all"
    tab.click(".more button")
    assert len(tab.texts(NAMES)) == 100
    tab.click("#runs summary")
    assert len(tab.texts("#runs .line")) == 100
    tab.click("#runs .more button")
    assert len(tab.texts("#runs .line")) == 1000


# What it must not do


def test_page_asks_for_nothing_and_needs_no_network(tab: Page, board: Path) -> None:
    tab.go_offline()
    tab.open(board)
    assert tab.requested == [board.as_uri()]
    assert len(tab.texts(NAMES)) == 9


def test_hostile_texts_are_shown_and_do_nothing(tab: Page, hostile: Path) -> None:
    tab.open(hostile)
    tab.do("for (const each of document.querySelectorAll('.opener')) each.click()")
    tab.do("for (const each of document.querySelectorAll('summary, .opener')) each.click()")
    tab.move_to(*tab.middle_of(".curves svg"))
    tab.press("Tab")
    assert HOSTILE.strip() in tab.texts("#boards h2")
    assert tab.do("return document.querySelectorAll('script').length") == 2
    assert tab.do("return document.querySelectorAll('img, i, b:not(.tip b), iframe').length") == 0
    assert tab.requested == [hostile.as_uri()]
    assert tab.events("Page.javascriptDialogOpening") == []
    assert tab.do("return document.title").startswith("Leaderboard: ")


def test_policy_stops_whatever_would_get_into_the_page(browser: Chromium, board: Path) -> None:
    tab = browser.page()
    tab.open(board)
    stopped = tab.do(
        """
        const seen = [];
        document.addEventListener('securitypolicyviolation',
          (event) => seen.push(event.effectiveDirective));
        const script = document.createElement('script');
        script.textContent = 'window.ran = true';
        document.body.append(script);
        const image = new Image();
        image.src = 'http://127.0.0.1:9/x.png';
        document.body.append(image);
        await fetch('http://127.0.0.1:9/').catch(() => null);
        const style = document.createElement('style');
        style.textContent = 'body { color: red }';
        document.body.append(style);
        await new Promise((go) => setTimeout(go, 50));
        return [seen.sort(), window.ran === undefined];
        """
    )
    assert stopped == [["connect-src", "img-src", "script-src-elem", "style-src-elem"], True]
    tab.close()


def test_without_scripts_the_leaderboard_is_there_as_text(tab: Page, board: Path) -> None:
    tab.open(board, with_scripts=False)
    root = tab.send("DOM.getDocument", depth=-1)["root"]
    found = tab.send("DOM.querySelector", nodeId=root["nodeId"], selector="noscript pre")
    box = tab.send("DOM.getBoxModel", nodeId=found["nodeId"])["model"]
    assert box["height"] > 100


def test_numbers_are_written_as_in_the_text_report(tab: Page, board: Path) -> None:
    tab.open(board)
    generator = random.Random(0)
    numbers: list[Any] = [0.125, 0.375, 2.5, -0.125, 0.005, 1.005, 1e21, 0.0, -0.001, 97.125]
    numbers += [generator.uniform(-1000, 1000) for _ in range(200)]
    numbers += [generator.randrange(-8000, 8000) / 8 for _ in range(200)]
    written = tab.do(f"return {json.dumps(numbers)}.map((each) => fixed(each, 2))")
    differing = [
        (number, text)
        for number, text in zip(numbers, written, strict=True)
        if text != f"{number:.2f}" and abs(number) < 1e21
    ]
    assert differing == []
