"""Where the presets lie that come with axiomrl."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def presets_folder() -> Path | None:
    """The folder `configs`: within the package (from a wheel), or beside it (in a checkout).

    None where the package was installed without presets.
    """
    for folder in (_PACKAGE / "configs", _PACKAGE.parent / "configs"):
        if (folder / "suites").is_dir():  # any folder may be called configs
            return folder
    return None
