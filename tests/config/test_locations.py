"""The shipped presets are found in a checkout and in a wheel."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import axiomrl
from axiomrl.config.locations import presets_folder

REPOSITORY = Path(axiomrl.__file__).parents[1]
PRINT_FOLDER = "from axiomrl.config.locations import presets_folder; print(presets_folder())"


def folder_seen_by(site: Path) -> str:
    """What a copy of the package finds, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PRINT_FOLDER],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=site,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_presets_of_a_checkout_lie_beside_the_package() -> None:
    assert presets_folder() == REPOSITORY / "configs"


def test_presets_of_a_wheel_lie_within_the_package(tmp_path: Path) -> None:
    shutil.copytree(
        REPOSITORY / "axiomrl", tmp_path / "axiomrl", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / "configs").mkdir()  # somebody else's
    assert folder_seen_by(tmp_path) == "None"
    shutil.copytree(REPOSITORY / "configs", tmp_path / "axiomrl" / "configs")
    assert folder_seen_by(tmp_path) == str(tmp_path / "axiomrl" / "configs")
