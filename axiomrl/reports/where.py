"""The language of `--where`: comparisons of a run's values, joined by and, or, not.

    hyperparameters.gamma >= 0.99 and seed in [1, 2, 3] and not (status == failed)
    'baseline' in tags or env_id ~ 'Half*'

A comparison with something missing, null or NaN, or of values of different kinds, is neither true
nor false but unknown; so is its negation. Only what is true matches. Nothing is ever executed.
"""

from __future__ import annotations

import fnmatch
import math
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from axiomrl.errors import InputError

LONGEST, DEEPEST = 2000, 50  # characters; parentheses and nots within one another

Lookup = Callable[[str], Any]
Truth = bool | None  # None: unknown
Node = Callable[[Lookup], Truth]

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<operator>==|!=|<=|>=|<|>|~)
    | (?P<mark>[()\[\],])
    | (?P<word>[A-Za-z_][\w-]*(?:\.[\w-]+)*)
    )""",
    re.VERBOSE,
)
_ORDERED = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_CONSTANTS = {"true": True, "false": False, "null": None, "none": None}
_KEYWORDS = {"and", "or", "not", "in"}


class Token(NamedTuple):
    """One word of an expression, and where it begins."""

    kind: str  # number, text, operator, mark, word or end
    text: str
    place: int


class Name(str):
    """A name, whose value a run gives."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression, and the names that it speaks of."""

    text: str
    names: tuple[str, ...]
    _node: Node

    def matches(self, lookup: Lookup) -> bool:
        """Whether it is true, given the values of names (None for a missing one)."""
        return self._node(lookup) is True


def parse(text: str) -> Expression:
    """The expression in a text; raises InputError, pointing at the place, if it is none."""
    if len(text) > LONGEST:
        raise InputError(f"--where: {len(text)} characters are too many; at most {LONGEST} fit")
    parser = _Parser(text)
    node = parser.whole()
    return Expression(text, tuple(dict.fromkeys(parser.names)), node)


class _Parser:
    """Recursive descent: or-chains of and-chains of negations of comparisons."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(_tokens(text))
        self._at = 0
        self._depth = 0
        self.names: list[str] = []

    def whole(self) -> Node:
        node = self._chain("or")
        if self._next.kind != "end":
            raise self._error("and, or, or the end")
        return node

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        self._at += 1
        return token

    def _takes(self, text: str) -> bool:
        """Take the next token if it is this mark or keyword."""
        found = self._next.kind in ("mark", "word") and self._next.text.lower() == text
        self._at += found
        return found

    def _require(self, mark: str) -> None:
        if not self._takes(mark):
            raise self._error(repr(mark))

    def _chain(self, word: str) -> Node:
        parts = [self._chain("and") if word == "or" else self._negation()]
        while self._takes(word):
            parts.append(self._chain("and") if word == "or" else self._negation())
        return parts[0] if len(parts) == 1 else _joined(parts, decides=word == "or")

    def _negation(self) -> Node:
        if not self._takes("not"):
            return self._parenthesis()
        inner = self._deeper(self._negation)
        return lambda lookup: None if (truth := inner(lookup)) is None else not truth

    def _parenthesis(self) -> Node:
        if not self._takes("("):
            return self._comparison()
        inner = self._deeper(lambda: self._chain("or"))
        self._require(")")
        return inner

    def _deeper(self, parse: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._error(f"at most {DEEPEST} levels of nesting")
        node = parse()
        self._depth -= 1
        return node

    def _comparison(self) -> Node:
        left = self._value()
        if self._next.kind == "operator":
            sign = self._take().text
            # `status == failed`: beside a name, a bare word is a text
            right = self._value(names_are_texts=isinstance(left, Name))
            return lambda lookup: _truth(sign, _given(left, lookup), _given(right, lookup))
        is_negated = self._takes("not")
        if not self._takes("in"):
            raise self._error("a comparison: == != < <= > >= ~ in, not in")
        members = self._members()

        def node(lookup: Lookup) -> Truth:
            truth = _is_in(_given(left, lookup), _given(members, lookup))
            return truth if truth is None or not is_negated else not truth

        return node

    def _members(self) -> list[Any] | Name:
        """A list of values, or the name of one."""
        if not self._takes("["):
            name = self._value()
            if not isinstance(name, Name):
                raise self._error("a list such as [1, 2, 3], or the name of one")
            return name
        members: list[Any] = []
        while not self._takes("]"):
            if members:
                self._require(",")
            members.append(self._value(names_are_texts=True))
        return members

    def _value(self, *, names_are_texts: bool = False) -> Any:
        token = self._next
        if token.kind == "end" or token.kind in ("operator", "mark"):
            raise self._error("a name, a number or a 'text'")
        self._at += 1
        if token.kind == "number":
            return float(token.text) if re.search(r"[.eE]", token.text) else int(token.text)
        if token.kind == "text":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1])
        word = token.text.lower()
        if word in _KEYWORDS:
            self._at -= 1
            raise self._error("a name, a number or a 'text'")
        if word in _CONSTANTS:
            return _CONSTANTS[word]
        if names_are_texts:
            return token.text
        self.names.append(token.text)
        return Name(token.text)

    def _error(self, wanted: str) -> InputError:
        return _misplaced(self._text, self._next.place, f"expected {wanted}")


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        if found is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise _misplaced(text, start, "cannot be read from here on")
        kind = str(found.lastgroup)
        yield Token(kind, found[kind], found.start(kind))
        place = found.end()
    yield Token("end", "", len(text))


def _misplaced(text: str, place: int, problem: str) -> InputError:
    before, after = text[max(0, place - 30) : place], text[place : place + 30]
    return InputError(
        f"--where: at character {place + 1}: {problem}: {before}»{after}",
        hint="for example: hyperparameters.gamma >= 0.99 and seed in [1, 2, 3]",
    )


def _joined(parts: Sequence[Node], *, decides: bool) -> Node:
    """`or` (True decides) or `and` (False decides); unknown if nothing decides but one is."""

    def node(lookup: Lookup) -> Truth:
        is_unknown = False
        for part in parts:
            truth = part(lookup)
            if truth is decides:
                return decides
            is_unknown = is_unknown or truth is None
        return None if is_unknown else not decides

    return node


def _given(value: Any, lookup: Lookup) -> Any:
    return lookup(value) if isinstance(value, Name) else value


def _truth(sign: str, left: Any, right: Any) -> Truth:
    kind = _kind(left)
    if kind is None or kind != _kind(right):
        return None
    if sign == "~":
        return fnmatch.fnmatchcase(left, right) if kind == "text" else None
    if sign in ("==", "!="):
        return bool((left == right) == (sign == "=="))
    return bool(_ORDERED[sign](left, right)) if kind in ("number", "text") else None


def _kind(value: Any) -> str | None:
    """What a value can be compared with: others of its kind; None for missing, null and NaN."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return None if math.isnan(value) else "number"
    if isinstance(value, str):
        return "text"
    return "list" if isinstance(value, list | tuple) else None


def _is_in(value: Any, members: Any) -> Truth:
    if _kind(value) is None or not isinstance(members, list | tuple):
        return None
    return any(_truth("==", value, member) for member in members)
