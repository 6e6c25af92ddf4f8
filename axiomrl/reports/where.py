"""The expressions of `--where`: `hyperparameters.gamma >= 0.99 and seed in [1, 2, 3]`.

    expression  = conjunction {"or" conjunction}
    conjunction = negation {"and" negation}
    negation    = "not" negation | "(" expression ")" | comparison
    comparison  = operand [("==" | "!=" | "<" | "<=" | ">" | ">=") operand]
                | operand ["not"] "in" (list | name)
                | operand ["not"] "like" operand
    operand     = number | text | "true" | "false" | "null" | name
    list        = "[" [constant {"," constant}] "]"

Nothing of an expression is ever run as Python: it becomes `axiomrl.reports.conditions`.
`docs/reference/where.md` tells users what they can write.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from axiomrl.errors import InputError
from axiomrl.reports.conditions import (
    All,
    Comparison,
    Condition,
    Constant,
    Either,
    Name,
    Not,
    Operand,
    ValueOf,
)

MAX_LENGTH = 4_000  # characters; Python reads no integer of more than 4,300 digits
MAX_DEPTH = 50  # parentheses and `not` within one another

_NAME = r"[^\W\d]\w*(?:-\w+)*(?:\.\w+(?:-\w+)*)*"
_DIGITS = "[0-9]+(?:_[0-9]+)*"
_TOKEN = re.compile(
    rf"(?P<number>[+-]?(?:{_DIGITS}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.]))"
    r"|(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")"
    rf"|(?P<name>{_NAME})"
    r"|(?P<symbol>==|!=|<=|>=|[<>()\[\],])",
    re.DOTALL,
)
_SPACE = re.compile(r"\s*")
_KEYWORDS = {"and", "or", "not", "in", "like"}
_CONSTANTS = {"true": True, "false": False, "null": None, "none": None}
_COMPARING = {"==", "!=", "<", "<=", ">", ">="}
_OTHER_SPELLINGS = {"=": "==", "&": "and", "|": "or", "!": "not", "~": "like"}
_OPERATORS = "==, !=, <, <=, >, >=, in, not in, like or not like"
_VALUE = "a name, number or 'text'"
_SHOWN = 32  # characters before and after the place of an error


@dataclass(frozen=True)
class Expression:
    """A condition on a run, and the names of the values that decide it."""

    text: str
    names: tuple[str, ...]
    condition: Condition

    def matches(self, value_of: ValueOf) -> bool:
        """Whether it is true, and not merely unknown, for the values that names stand for."""
        return self.condition.truth(value_of) is True


def parse(text: str) -> Expression:
    """Read an expression; raises InputError that marks the place where it cannot be read."""
    if len(text) > MAX_LENGTH:
        raise InputError(
            f"--where: the expression has {len(text):,} characters, more than {MAX_LENGTH:,}"
        )
    parser = _Parser(text)
    condition = parser.expression(depth=0)
    parser.expect_end()
    return Expression(text, tuple(parser.names), condition)


def is_name(text: str) -> bool:
    """Whether an expression could name a value so."""
    return (
        re.fullmatch(_NAME, text) is not None and text.lower() not in _KEYWORDS | _CONSTANTS.keys()
    )


class _Token(NamedTuple):
    kind: str  # number, text, name, keyword, constant, symbol or end
    text: str  # as written; keywords in lower case
    start: int
    value: Any = None

    def is_one_of(self, *texts: str) -> bool:
        return self.kind in ("keyword", "symbol") and self.text in texts


class _Parser:
    """Goes through the tokens once; a method for each line of the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._place = 0
        self.names: dict[str, None] = {}  # a set that keeps the order

    def expression(self, depth: int) -> Condition:
        conditions = self._joined("or", lambda: self._conjunction(depth))
        return conditions[0] if len(conditions) == 1 else Either(conditions)

    def expect_end(self) -> None:
        if self._token.kind == "end":
            return
        expected = "and, or, or the end of the expression"
        if self._token.is_one_of(*_COMPARING, "in", "like"):
            expected += " (join two comparisons with and)"
        raise self._unexpected(expected)

    @property
    def _token(self) -> _Token:
        return self._tokens[self._place]

    def _conjunction(self, depth: int) -> Condition:
        conditions = self._joined("and", lambda: self._negation(depth))
        return conditions[0] if len(conditions) == 1 else All(conditions)

    def _joined(self, word: str, part: Callable[[], Condition]) -> tuple[Condition, ...]:
        conditions = [part()]
        while self._skip(word):
            conditions.append(part())
        return tuple(conditions)

    def _negation(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise _error(self._text, self._token.start, f"nested more than {MAX_DEPTH} deep")
        if self._skip("not"):
            return Not(self._negation(depth + 1))
        if not self._skip("("):
            return self._comparison()
        inner = self.expression(depth + 1)
        if not self._skip(")"):
            raise self._unexpected("and, or, or )")
        return inner

    def _comparison(self) -> Condition:
        first = self._token
        left = self._operand()
        token = self._token
        if token.is_one_of(*_COMPARING):
            self._place += 1
            return Comparison(left, token.text, self._operand())
        is_negated = self._skip("not")
        if self._skip("in"):
            condition = Comparison(left, "in", self._container())
            return Not(condition) if is_negated else condition
        if self._skip("like"):
            condition = Comparison(left, "like", self._operand())
            return Not(condition) if is_negated else condition
        if is_negated:
            raise self._unexpected("in or like")
        return self._alone(left, first)

    def _alone(self, operand: Operand, first: _Token) -> Condition:
        """An operand that is not compared with anything."""
        if isinstance(operand, Name):
            if self._token.kind == "end" or self._token.is_one_of("and", "or", ")"):
                return operand
            raise self._unexpected(_OPERATORS)
        if first.kind == "constant":  # true == true is true, null == true is unknown
            return Comparison(operand, "==", Constant(True))
        raise self._unexpected(f"{_OPERATORS} after {_shown(first)}")

    def _operand(self) -> Operand:
        token = self._token
        if token.kind == "name":
            self._place += 1
            self.names[token.text] = None
            return Name(token.text)
        return Constant(self._constant(_VALUE))

    def _constant(self, expected: str) -> Any:
        token = self._token
        if token.kind not in ("number", "text", "constant"):
            raise self._unexpected(expected)
        self._place += 1
        return token.value

    def _container(self) -> Operand:
        """What stands to the right of `in`."""
        if self._token.kind == "name":
            return self._operand()
        if not self._skip("["):
            raise self._unexpected("a list such as [1, 2] or a name")
        items: list[Any] = []
        while not self._skip("]"):
            if items and not self._skip(","):
                raise self._unexpected(", or ]")
            items.append(self._constant("a number or 'text'" if items else "a number, 'text' or ]"))
        return Constant(tuple(items))

    def _skip(self, text: str) -> bool:
        is_next = self._token.is_one_of(text)
        self._place += is_next
        return is_next

    def _unexpected(self, expected: str) -> InputError:
        token = self._token
        return _error(self._text, token.start, f"expected {expected}, found {_shown(token)}")


def _tokens(text: str) -> list[_Token]:
    tokens = []
    start = _end_of_space(text, 0)
    while start < len(text):
        found = _TOKEN.match(text, start)
        if found is None:
            raise _error(text, start, _unreadable(text[start]))
        tokens.append(_token(text, found))
        start = _end_of_space(text, found.end())
    return [*tokens, _Token("end", "", len(text))]


def _end_of_space(text: str, start: int) -> int:
    found = _SPACE.match(text, start)
    return found.end() if found else start


def _token(text: str, found: re.Match[str]) -> _Token:
    kind, written, start = str(found.lastgroup), found[0], found.start()
    if kind == "number":
        return _Token(kind, written, start, _number(text, written, start))
    if kind == "text":
        return _Token(kind, written, start, re.sub(r"\\(.)", r"\1", written[1:-1], flags=re.DOTALL))
    word = written.lower()
    if kind == "name" and word in _KEYWORDS:
        return _Token("keyword", word, start)
    if kind == "name" and word in _CONSTANTS:
        return _Token("constant", written, start, _CONSTANTS[word])
    return _Token(kind, written, start)


def _number(text: str, written: str, start: int) -> int | float:
    if re.fullmatch(f"[+-]?{_DIGITS}", written):
        return int(written)
    number = float(written)
    if not math.isfinite(number):
        raise _error(text, start, f"{written} is too large a number")
    return number


def _unreadable(character: str) -> str:
    if character in "'\"":
        return f"the text that begins here is not closed by another {character}"
    if character in _OTHER_SPELLINGS:
        return f"{character} means nothing here; write {_OTHER_SPELLINGS[character]}"
    if character.isdigit() or character in "+-.":
        return "this is no number; text is written in quotes"
    return f"{character!r} means nothing here; text is written in quotes"


def _shown(token: _Token) -> str:
    if token.kind == "end":
        return "the end"
    return token.text if len(token.text) <= _SHOWN else token.text[:_SHOWN] + "..."


def _error(text: str, start: int, problem: str) -> InputError:
    """An error in one line; its hint shows the place."""
    left = max(0, start - _SHOWN)
    around = text[left : start + _SHOWN]
    shown = "".join(each if each.isprintable() else " " for each in around)
    marker = " " * (start - left) + "^"
    message = f"--where: column {start + 1}: {problem}"
    message = "".join(each if each.isprintable() else "?" for each in message)
    return InputError(message, hint=f"{shown}\n       {marker}")
