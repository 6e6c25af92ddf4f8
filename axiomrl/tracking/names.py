"""Experiment ids: names that are safe as file names wherever the folder may be copied to."""

from __future__ import annotations

import hashlib
import re

from axiomrl.errors import InputError

_VALID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9])(\..*)?", re.IGNORECASE)  # by Windows
# What stays as it is: lower case only, because some file systems take `Mlp` and `mlp` for one
# name, and nothing that could be mistaken for a name with a hash.
_UNCHANGED = re.compile(r"[a-z0-9_][a-z0-9._-]{0,63}")
_DIGITS = 12
_HASHED = re.compile(rf".*-[0-9a-f]{{{_DIGITS}}}")
_READABLE = 48  # characters that are kept of a name that gets a hash


def is_valid_id(text: str) -> bool:
    """Whether a text can be an experiment id."""
    return bool(_VALID.fullmatch(text)) and not _RESERVED.fullmatch(text)


def checked_id(experiment_id: object) -> str:
    """The id as it is; raises InputError if it is unfit to be a file name."""
    if isinstance(experiment_id, str) and is_valid_id(experiment_id):
        return experiment_id
    raise InputError(
        f"experiment_id is {experiment_id!r}, which cannot be the name of a file everywhere",
        hint="use up to 100 of A-Z a-z 0-9 . _ - that begin with a letter, a digit or _",
    )


def id_for(config_name: object) -> str:
    """The experiment id of a configuration's name: different names have different ids.

    A name of lower-case letters, digits, `.`, `_` and `-` is its own id. Any other one becomes
    what of it is readable and a hash of all of it, so that `a/b` and `a-b` stay apart also
    where file names ignore case. Raises InputError for what is no text.
    """
    if not isinstance(config_name, str):
        raise InputError(f"config_name is {config_name!r}, but must be a text")
    is_safe = _UNCHANGED.fullmatch(config_name) and is_valid_id(config_name)
    if is_safe and not _HASHED.fullmatch(config_name):
        return config_name
    digest = hashlib.sha256(config_name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", config_name)[:_READABLE].strip("-.") or "experiment"
    hashed = f"{slug}-{digest}"
    return f"_{hashed}" if _RESERVED.fullmatch(hashed) else hashed
