"""What all settings share: strict models, ranges, paths, and errors in plain words."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
)

from pipeline.redact import redact

_MAX_SHOWN = 100
"""Characters of a wrong value that an error message repeats."""
_MESSAGES = {"model_type": "must hold 'key: value' lines"}
"""Words for errors of pydantic whose own would speak of Python."""


class Settings(BaseModel):
    """Settings that take no unknown key, no value of another type and no change."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,  # of tracebacks; `explain` shows what is no secret
    )


def between(low: float, high: float) -> tuple[AfterValidator, Any]:
    """A number in low..high, both included, whose error message states the range."""

    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"must be between {low} and {high}")
        return value

    return AfterValidator(check), Field(json_schema_extra={"minimum": low, "maximum": high})


def _address(value: object) -> str:
    """The name of a file, which need not be UTF-8, with `~` expanded; or a URL."""
    if not isinstance(value, str | Path) or value == "":
        raise ValueError("must be a path")
    address = str(value)
    if b"\0" in os.fsencode(address):
        raise ValueError("must not hold zero bytes")
    return os.path.expanduser(address)


def _path(value: object) -> Path:
    return Path(_address(value))


Address = Annotated[str, PlainValidator(_address)]
FilePath = Annotated[Path, PlainValidator(_path)]


def explain(
    error: ValidationError,
    settings: type[Settings],
    secret: Collection[str] = (),
    *,
    shown: bool = True,
) -> str:
    """The first fault, with the path of its key and what would be right.

    Args:
        error: from validating `settings`.
        settings: knows the keys.
        secret: keys whose values are not shown.
        shown: whether others are.
    """
    first = error.errors()[0]
    location = ".".join(str(part) for part in first["loc"])
    if first["type"] in ("extra_forbidden", "invalid_key"):
        known = _known_keys(settings, first["loc"][:-1])
        close = difflib.get_close_matches(str(first["loc"][-1]), known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known)}"
        return redact(f"unknown key {location!r}; {hint}")
    if first["type"] == "missing":
        return f"{location}: is missing"
    if first["type"] == "sink":  # found out by itself what is wrong, and where in it
        return redact(f"{location}: {first['msg']}")
    if first["type"] == "within":  # says itself where in it
        return redact(f"{location}.{first['msg']}")
    message = _MESSAGES.get(first["type"], first["msg"].removeprefix("Value error, "))
    message = f"{location}: {message[0].lower()}{message[1:]}"
    hidden = location in secret or not shown
    return message if hidden else f"{message}, got {_shown(first['input'])}"


def _shown(value: object) -> str:
    """A wrong value on a line, cut if it is long."""
    try:
        shown = redact(repr(value))
    except ValueError:  # Python writes no number of more than 4300 digits
        return "a huge number"
    except RecursionError:
        return "brackets in brackets"
    return shown if len(shown) <= _MAX_SHOWN else f"{shown[:_MAX_SHOWN]}..."


def _known_keys(settings: type[Settings], location: tuple[int | str, ...]) -> list[str]:
    """The keys of the settings at a place inside others."""
    for key in location:
        if isinstance(key, str):
            settings = _settings_in(settings.model_fields[key].annotation)
    return sorted(settings.model_fields)


def _settings_in(annotation: Any) -> type[Settings]:
    """The settings in an annotation such as `list[SourceConfig]`."""
    while not (isinstance(annotation, type) and issubclass(annotation, Settings)):
        annotation = get_args(annotation)[0]
    return annotation
