"""What a value from a file may be: its type, its range, and the words for both (lesson 06).

`value in kind` asks whether it is that, `str(kind)` says what it should have been. JSON keeps whole
numbers, numbers and booleans apart, but Python says `True == 1 == 1.0`, so each kind asks for the
type as well.
"""

import reprlib
from dataclasses import dataclass
from pathlib import Path

from .cli import UserError


@dataclass(frozen=True)
class Whole:
    """A whole number from `least` to `most`, both included."""

    least: int
    most: int

    def __contains__(self, value: object) -> bool:
        return type(value) is int and self.least <= value <= self.most

    def __str__(self) -> str:
        return f"a whole number from {self.least:,} to {self.most:,}"


@dataclass(frozen=True)
class Real:
    """A finite number, whole or not, from `least` to `most`, both included."""

    least: float
    most: float

    def __contains__(self, value: object) -> bool:
        return type(value) in (int, float) and self.least <= value <= self.most  # so not for nan

    def __str__(self) -> str:
        return f"a number from {self.least:g} to {self.most:g}"


@dataclass(frozen=True)
class Text:
    """A string with something in it."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and bool(value.strip())

    def __str__(self) -> str:
        return "a text"


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def __contains__(self, value: object) -> bool:
        return isinstance(value, bool)

    def __str__(self) -> str:
        return "true or false"


class OneOf:
    """One of a few values. A whole number may stand for a float; a boolean for no number."""

    def __init__(self, *values: object):
        self.values = values

    def __contains__(self, value: object) -> bool:
        boolean = isinstance(value, bool)
        return any(value == one and boolean == isinstance(one, bool) for one in self.values)

    def __str__(self) -> str:
        return " or ".join(map(repr, self.values))


@dataclass(frozen=True)
class ListOf:
    """A list of at least one and at most `most` values of one kind."""

    kind: object
    most: int

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, list) or not 1 <= len(value) <= self.most:
            return False
        return all(item in self.kind for item in value)

    def __str__(self) -> str:
        return f"a list of 1 to {self.most}, each {self.kind}"


@dataclass(frozen=True)
class Either:
    """A value of one kind or of another."""

    first: object
    second: object

    def __contains__(self, value: object) -> bool:
        return value in self.first or value in self.second

    def __str__(self) -> str:
        return f"{self.first}, or {self.second}"


def wrong(name: str, value: object, kind: object) -> str | None:
    """What is wrong with a value that should be of that kind; None if nothing is.

    `reprlib` shortens what is long and stops where it is deep.
    """
    return None if value in kind else f"{name} = {reprlib.repr(value)} is not {kind}"


def refuse(file: str | Path, fault: str | None, advice: str) -> None:
    """UserError, if there is a fault."""
    if fault:
        raise UserError(f"{file}: {fault}; {advice}")
