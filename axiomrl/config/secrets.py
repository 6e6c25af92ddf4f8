"""Masks what looks like a secret before a run directory is written.

Pure functions over keys, values, texts and argument lists. A secret is known by its key
(`api_key`, `HF_TOKEN`, `--password`), by being the credentials of a URL, or by a form that
only tokens have. When in doubt a text is masked; numbers that merely count (`n_tokens`) and
names of observations (`image_key`) are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

MASK = "***"

_ALWAYS = {"password", "passwd", "passphrase", "secret", "credential", "authorization"}
_GLUED = {"apikey", "authtoken", "accesstoken", "accesskey", "secretkey", "privatekey", "pwd"}
_ABOUT_A_SECRET = {"file", "path", "name", "length", "id", "count", "size", "type", "env"}
_HARMLESS_TOKENS = {
    "n", "num", "max", "min", "pad", "eos", "bos", "start", "end", "stop", "unk", "sep", "cls",
    "special", "per", "vocab",
}  # fmt: skip
_HARMLESS_KEYS = {
    "observation", "obs", "action", "state", "goal", "image", "pixel", "pixels", "reward", "info",
    "sort", "group", "dict", "cache", "metric", "column", "row", "index", "public", "door",
    "primary", "foreign", "lookup", "map", "agent", "render",
}  # fmt: skip
_SECRET_KEYS = {"api", "access", "private", "secret", "auth", "signing", "encryption", "ssh"}
_COUNT_DIGITS = 6  # a shorter number under `token` or `key` is a count or an index

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_URL = re.compile(
    r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30}://)"
    r"(?P<user>[^\s/?#@:\"'<>]*)(?P<password>:[^\s/?#\"'<>]*)?@"
)
_QUERY = re.compile(r"(?P<head>[?&](?P<key>[\w.-]{1,100})=)(?P<value>[^\s&#\"'<>]+)")
_TOKEN = re.compile(
    r"(?<![A-Za-z0-9_])(?:gh[pousr]_|github_pat_|glpat-|hf_|sk-|xox[abprs]-|AKIA)[\w-]{16,}"
    r"|(?<=Bearer )[\w.~+/=-]{8,}"
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_VALUE = (
    r"""(?P<value>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[^\s"',;&(){}\[\]<>=]+)(?P<call>[(\[]?)"""
)
_ASSIGNMENT = re.compile(
    r"(?<![\w.])(?P<head>(?P<key>[A-Za-z_][\w.-]{0,100})[\"']?\]?"
    r"(?:[ \t]{0,20}:[ \t]{0,20}(?P<annotation>[\w.\[\]| ]{1,60}?)(?=[ \t]{0,20}=))?"
    r"[ \t]{0,20}(?::=|=>|!=|={1,3}|:(?!//))[ \t]{0,20})" + _VALUE
)
_FLAG = re.compile(r"(?P<head>(?<![\w-])--(?P<key>[A-Za-z][\w.-]{0,100})[ \t]{1,20})(?!-)" + _VALUE)
_CODE_WORDS = {"none", "null", "true", "false", "str", "int", "bytes", "float", "bool", "any"}


def looks_secret(key: object) -> bool:
    """Whether values under this key (the last part of a dotted one) are to be kept from sight."""
    words = _words(key)
    if not words or words[-1] in _ABOUT_A_SECRET:
        return False
    if any(word in _ALWAYS or word in _GLUED for word in words):
        return True
    last, before = words[-1], set(words[:-1])
    if last == "token":
        return not before & _HARMLESS_TOKENS
    if last == "key":
        return bool(before & _SECRET_KEYS) or not before & _HARMLESS_KEYS
    return False


def mask_value(key: object, value: Any) -> Any:
    """The value as it may be written down under this key; containers are masked within."""
    if looks_secret(key):
        return _mask_leaves(value, always=bool(set(_words(key)) & _ALWAYS))
    if isinstance(value, Mapping):
        return mask_mapping(value)
    if isinstance(value, list | tuple):
        return type(value)(mask_value(key, item) for item in value)
    return _mask_forms(value) if isinstance(value, str) else value


def mask_mapping(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a mapping, at every depth without its secrets."""
    return {key: mask_value(key, value) for key, value in mapping.items()}


def mask_text(text: str) -> str:
    """A text (a diff, a log) with secrets in assignments, flags and URLs replaced by `***`.

    Lines stay lines, so a masked diff still shows where each change was made.
    """
    text = _PRIVATE_KEY.sub(lambda found: _mask_lines(found[0]), _mask_forms(text))
    return _FLAG.sub(_mask_assigned, _ASSIGNMENT.sub(_mask_assigned, text))


def mask_argv(argv: Sequence[str]) -> list[str]:
    """A command line with the values of secret flags and secret `key=value`s masked."""
    masked: list[str] = []
    value_is_secret = False
    for argument in argv:
        key, equals, _ = argument.partition("=")
        if value_is_secret and not argument.startswith("--"):
            masked.append(MASK)
            value_is_secret = False
            continue
        value_is_secret = argument.startswith("-") and not equals and looks_secret(argument)
        if equals and looks_secret(key):
            masked.append(f"{key}={MASK}")
        else:
            masked.append(mask_text(argument))
    return masked


def _words(key: object) -> list[str]:
    last_part = str(key).rpartition(".")[2]
    words = [word.lower() for word in _WORDS.findall(last_part)]
    return [word[:-1] if _is_plural_secret(word, words) else word for word in words]


def _is_plural_secret(word: str, words: list[str]) -> bool:
    if word == "keys":  # `filter_keys` names observations; `api_keys` are secrets
        return bool(set(words) & _SECRET_KEYS)
    return word in {"tokens", "passwords", "secrets", "credentials"}


def _mask_leaves(value: Any, *, always: bool) -> Any:
    if isinstance(value, Mapping):
        return {key: _mask_leaves(item, always=always) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_mask_leaves(item, always=always) for item in value)
    if value is None or isinstance(value, bool) or value == "":
        return value
    if isinstance(value, int | float) and not always:
        return MASK if len(str(value)) >= _COUNT_DIGITS and isinstance(value, int) else value
    return MASK


def _mask_forms(text: str) -> str:
    """Masks what is a secret by its form alone: credentials of URLs and well-known tokens."""
    text = _URL.sub(_mask_credentials, text)
    text = _QUERY.sub(
        lambda found: found["head"] + (MASK if looks_secret(found["key"]) else found["value"]), text
    )
    return _TOKEN.sub(MASK, text)


def _mask_credentials(found: re.Match[str]) -> str:
    is_plain_user = found["password"] is None and not found["scheme"].lower().startswith("http")
    return (
        found[0]
        if is_plain_user or not found["user"] + (found["password"] or "")
        else (f"{found['scheme']}{MASK}@")
    )


def _mask_assigned(found: re.Match[str]) -> str:
    value: str = found["value"]
    is_code = bool(found["call"]) or value.lower() in _CODE_WORDS
    is_count = value.lstrip("-").isdigit() and len(value) < _COUNT_DIGITS
    always = bool(set(_words(found["key"])) & _ALWAYS)
    names = (found["key"], found.groupdict().get("annotation"))
    if (
        not any(looks_secret(name) for name in names if name)
        or is_code
        or (is_count and not always)
    ):
        return found[0]
    quote = value[0] if value[0] in "\"'" else ""
    return f"{found['head']}{quote}{MASK}{quote}" if value.strip("\"'") else found[0]


def _mask_lines(text: str) -> str:
    """Each line becomes `***` behind the mark that it has in a diff."""
    lines = text.split("\n")
    return "\n".join(
        [MASK]
        + [(line[0] if line[:1] in "+- " else "") + MASK if line else line for line in lines[1:]]
    )
