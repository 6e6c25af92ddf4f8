"""Makes `docs/images/train.svg` from a real run in a real terminal.

It opens a tmux session in an empty folder, types the command, waits for the prompt to return and
turns what the terminal then shows, colours included, into an SVG. Needs tmux, and `axiomrl`
installed beside the interpreter that runs this script.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from html import escape
from pathlib import Path

from rich.console import Console
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME as THEME
from rich.text import Text

REPOSITORY = Path(__file__).resolve().parent.parent
PICTURE = REPOSITORY / "docs" / "images" / "train.svg"
COMMAND = "axiomrl train --config configs/ppo/cartpole.yaml"
WIDTH, HEIGHT = 88, 40  # characters
PROMPT = "$"
PATIENCE_S = 300.0

CHARACTER_PX, LINE_PX, MARGIN_PX = 9.0, 20.0, 16.0
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"


def main() -> int:
    """Run, capture, draw."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "configs").symlink_to(REPOSITORY / "configs")
        screen = captured(COMMAND, Path(folder))
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(drawn(screen), encoding="utf-8")
    print(PICTURE.relative_to(REPOSITORY))
    return 0


def captured(command: str, folder: Path) -> str:
    """The screen after the command, with its escape codes, without the prompt that follows."""
    socket = f"axiomrl-docs-{os.getpid()}"  # a tmux server of its own
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PS1": f"{PROMPT} ", "LANG": "C.UTF-8"}

    def tmux(*words: str) -> str:
        done = subprocess.run(
            ["tmux", "-L", socket, "-f", os.devnull, *words],
            check=True,
            capture_output=True,
            encoding="utf-8",
            env=environment,
        )
        return done.stdout

    size = ["-x", str(WIDTH), "-y", str(HEIGHT)]
    shell = ["bash", "--norc", "--noprofile"]
    tmux("new-session", "-d", *size, "-c", str(folder), *shell)
    try:
        tmux("send-keys", command, "Enter")
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            time.sleep(0.5)
            lines = tmux("capture-pane", "-p").rstrip().splitlines()
            if len(lines) > 1 and lines[-1] == PROMPT:
                screen = tmux("capture-pane", "-p", "-e").rstrip()
                return screen[: screen.rindex("\n")].rstrip()
        raise TimeoutError(f"{command!r} did not end within {PATIENCE_S:.0f} s")
    finally:
        tmux("kill-server")


def drawn(screen: str) -> str:
    """The screen as an SVG that needs no fonts or styles from elsewhere.

    Every group of words is placed by its column, so columns stay in line whatever the font.
    """
    lines = Text.from_ansi(screen).split("\n")
    width = WIDTH * CHARACTER_PX + 2 * MARGIN_PX
    height = len(lines) * LINE_PX + 2 * MARGIN_PX
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'role="img" aria-label="{escape(COMMAND)}">',
        f'<rect width="100%" height="100%" rx="6" fill="{THEME.background_color.hex}"/>',
        f'<g font-family="{FONTS}" font-size="{LINE_PX * 0.75:.0f}">',
    ]
    for number, line in enumerate(lines):
        baseline = MARGIN_PX + (number + 0.75) * LINE_PX
        parts += [words(*group, baseline) for group in groups(line)]
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def groups(line: Text) -> Iterator[tuple[int, str, Style]]:
    """The words of a line that one space separates and one style covers, by their column."""
    column = 0
    for segment in line.render(Console(color_system="truecolor")):
        for found in re.finditer(r"\S+(?: \S+)*", segment.text):
            yield column + found.start(), found[0], segment.style or Style.null()
        column += len(segment.text)


def words(column: int, text: str, style: Style, baseline: float) -> str:
    """One group of words as an SVG element."""
    colour = style.color.get_truecolor(THEME) if style.color else THEME.foreground_color
    bold = ' font-weight="bold"' if style.bold else ""
    return (
        f'<text x="{MARGIN_PX + column * CHARACTER_PX:.1f}" y="{baseline:.1f}" '
        f'textLength="{len(text) * CHARACTER_PX:.1f}" fill="{colour.hex}"{bold}>'
        f"{escape(text)}</text>"
    )


if __name__ == "__main__":
    sys.exit(main())
