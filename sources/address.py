"""Options in the query of an address: ours are taken out, the rest belongs to the camera."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from pipeline.errors import SourceError
from pipeline.redact import redact

T = TypeVar("T")


def take_options(address: str, ours: frozenset[str]) -> tuple[str, dict[str, str]]:
    """Split an address into what the camera gets to see and options for us.

    Everything else stays as it was written, percent signs included.

    Args:
        address: a URL or a device, perhaps with a query.
        ours: names of options.
    Returns:
        The address without our options, and these by name.
    Raises:
        SourceError: an option stands twice or has no value.
    """
    base, mark, query = address.partition("?")
    options: dict[str, str] = {}
    others = []
    for part in query.split("&") if mark else []:
        name, equals, value = part.partition("=")
        if name not in ours:
            others.append(part)
            continue
        if name in options or not equals or not value:
            raise SourceError(f"{redact(address)}: give {name!r} once, as {name}=VALUE")
        options[name] = value
    return (base + "?" + "&".join(others) if others else base), options


def read_option(
    address: str, options: Mapping[str, str], name: str, read: Callable[[str], T], expected: str
) -> T | None:
    """The value of an option; None when it is not given.

    Args:
        address: for the message.
        options: by name.
        name: of the option.
        read: makes its value; raises ValueError.
        expected: what a right value looks like.
    Raises:
        SourceError: the value is wrong.
    """
    text = options.get(name)
    if text is None:
        return None
    try:
        return read(text)
    except ValueError as error:
        raise SourceError(f"{redact(address)}: {name} must be {expected}, got {text!r}") from error


def positive(text: str) -> float:
    """A number above 0 and below a day in seconds.

    Raises:
        ValueError: it is none.
    """
    value = float(text)
    if not 0 < value < 86_400:
        raise ValueError(text)
    return value


def size(text: str) -> tuple[int, int]:
    """(height, width) of a picture, written WIDTHxHEIGHT.

    Raises:
        ValueError: it is no size from 16 to 8192.
    """
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ValueError(text)
    if not (16 <= int(width) <= 8192 and 16 <= int(height) <= 8192):
        raise ValueError(text)
    return int(height), int(width)
