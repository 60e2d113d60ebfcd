"""Checks of what annotation files hold: a fault is one line that names the file and the place."""

from __future__ import annotations

import contextlib
import math
import os
import re
import reprlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pipeline.errors import DatasetError

MAX_SIDE_PX = 1_000_000
MAX_ID = 2**63 - 1
_MAX_COORDINATE = 1e9
_MAX_NAME_LENGTH = 100
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

_short = reprlib.Repr()
_short.maxlevel, _short.maxstring, _short.maxother = 2, 100, 100


class BadValue(ValueError):
    """A value is not what it should be; the message says what would be right, but not where."""


def fault(path: Path, text: str) -> DatasetError:
    """The error to raise for a file: one line, whatever characters names hold."""
    message = f"{path}: {text}"
    return DatasetError("".join(c if c.isprintable() else ascii(c)[1:-1] for c in message))


@contextlib.contextmanager
def place(path: Path, where: str) -> Iterator[None]:
    """Turn a `BadValue` raised inside into a `DatasetError` that names the file and the place."""
    try:
        yield
    except BadValue as error:
        raise fault(path, f"{where}: {error}") from error


def shown(value: object) -> str:
    """A wrong value for a message, shortened."""
    return _short.repr(value)


def listed(names: Sequence[str], most: int = 100) -> str:
    """Names for a message, of a long list only the first."""
    more = f", ... ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + more or "none"


def files_in(folder: Path, suffixes: Collection[str], *, below: bool = False) -> list[Path]:
    """The files in a folder, and with `below` in its subfolders, that end like this, sorted.

    Raises:
        DatasetError: the folder cannot be read.
    """
    found: list[Path] = []

    def refuse(error: OSError) -> NoReturn:
        raise fault(folder, f"cannot be read: {error.strerror}") from error

    for parent, folders, names in os.walk(folder, onerror=refuse):
        found += [Path(parent, name) for name in names if Path(name).suffix.lower() in suffixes]
        if not below:
            folders.clear()
    return sorted(found)


def read_bytes(path: Path, limit: int) -> bytes:
    """Read a file of at most `limit` bytes.

    Raises:
        DatasetError: it cannot be read, is no plain file, or is larger.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise fault(path, "is not a file")
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:  # ValueError: zero bytes or surrogates in the name
        reason = error.strerror if isinstance(error, OSError) else "not the name of a file"
        raise fault(path, f"cannot be read: {reason}") from error
    if len(data) > limit:
        raise fault(path, f"is larger than {limit} bytes")
    return data


def read_text(path: Path, limit: int) -> str:
    """Read a UTF-8 file of at most `limit` bytes.

    Raises:
        DatasetError: it cannot be read, is larger, or is not UTF-8.
    """
    try:
        return read_bytes(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise fault(path, "is not UTF-8 text") from error


def whole_number(value: object, name: str, low: int, high: int) -> int:
    """Return `value` if it is an int in low..high.

    Raises:
        BadValue: it is not.
    """
    if type(value) is not int or not low <= value <= high:
        raise BadValue(f"{name} must be a whole number from {low} to {high}, got {shown(value)}")
    return value


def coordinate(value: Any, name: str) -> float:
    """Return `value` if it is a finite number of a size that a coordinate can have.

    Raises:
        BadValue: it is not.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not abs(value) <= _MAX_COORDINATE:
        raise BadValue(f"{name} must be a finite number, got {shown(value)}")
    return float(value)


def parse_coordinate(text: str, name: str) -> float:
    """Read a coordinate from text.

    Raises:
        BadValue: it is not a finite number.
    """
    number = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not abs(number) <= _MAX_COORDINATE:
        raise BadValue(f"{name} must be a finite number, got {shown(text)}")
    return number


def class_name(value: object, name: str) -> str:
    """Return `value` if it can name a class: text that can be printed on one line.

    Raises:
        BadValue: it cannot.
    """
    if not isinstance(value, str):
        raise BadValue(f"{name} must be text, got {shown(value)}")
    if not value.isprintable() or not 1 <= len(value.strip()) <= _MAX_NAME_LENGTH:
        raise BadValue(
            f"{name} must be 1 to {_MAX_NAME_LENGTH} printable characters, got {shown(value)}"
        )
    return value.strip()


def path_below(folder: Path, value: object, name: str) -> Path:
    """Join the name of a file to a folder that it must not leave; links in the folder are followed.

    Raises:
        BadValue: it is not a relative path without "..".
    """
    if not isinstance(value, str) or not value or not value.isprintable():
        raise BadValue(f"{name} must be the name of a file, got {shown(value)}")
    path = Path(value)
    if path.is_absolute() or path.drive or ".." in path.parts:
        raise BadValue(f"{name} must stay below its folder, got {shown(value)}")
    return folder / path
