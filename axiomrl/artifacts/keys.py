"""Which keys an artifact may have: those that mean one place below the root on every system."""

from __future__ import annotations

import re

from axiomrl.errors import InputError

LONGEST_KEY = 800  # an S3 key has at most 1024 bytes, and a backend's own path stands before it
LONGEST_SEGMENT = 200  # a file name has at most 255 bytes, and a temporary name is longer

_OTHER_CHARACTER = re.compile(r"[^A-Za-z0-9._+=@,-]")
# Names that mean a device on Windows, whatever their suffix
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def check_key(key: str) -> str:
    """The key, if it is one: names joined by `/`, of `A-Z a-z 0-9 . _ + = @ , -`.

    No name begins or ends with a dot (so there is no `..`, nothing hidden, and no temporary
    file can be addressed). Raises InputError that says what is wrong.
    """
    fault = _fault(key)
    if fault is not None:
        raise InputError(
            f"{key!r} cannot be the key of an artifact: {fault}",
            hint="a key is made of names like checkpoints/best.pt, joined by /",
        )
    return key


def plain_segment(text: str) -> str:
    """A text as one name of a key: every other character becomes `-`."""
    plain = _OTHER_CHARACTER.sub("-", text).strip(".")[:LONGEST_SEGMENT].rstrip(".")
    return f"_{plain}" if not plain or _DEVICE.fullmatch(plain) else plain


def _fault(key: object) -> str | None:
    if not isinstance(key, str):
        return f"it is no text but of type {type(key).__name__}"
    if len(key) > LONGEST_KEY:
        return f"it has {len(key)} characters, more than {LONGEST_KEY}"
    faults = (_segment_fault(segment) for segment in key.split("/"))
    return next((fault for fault in faults if fault is not None), None)


def _segment_fault(segment: str) -> str | None:
    if not segment:
        return "a name in it is empty (it begins or ends with /, or has //)"
    if len(segment) > LONGEST_SEGMENT:
        return f"a name in it has {len(segment)} characters, more than {LONGEST_SEGMENT}"
    other = _OTHER_CHARACTER.search(segment)
    if other is not None:
        return f"{other[0]!r} is not allowed"
    if segment.startswith(".") or segment.endswith("."):
        return f"{segment!r} begins or ends with a dot"
    if _DEVICE.fullmatch(segment):
        return f"{segment!r} is the name of a device on Windows"
    return None
