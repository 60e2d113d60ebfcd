"""Packages that only some commands need; whoever does without these may be without them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pipeline.errors import ConfigError

Extra = Literal[
    "train", "report", "dashboard", "mqtt", "kafka", "redis", "amqp", "nats", "zmq", "webhook"
]
"""A set of packages in pyproject.toml."""


@contextmanager
def needs_package(package: str, what: str, extra: Extra = "train") -> Iterator[None]:
    """Import inside this, so that a missing package is told of in one line.

    Args:
        package: its name in the package index.
        what: the thing that cannot be had without it, as the subject of a sentence.
        extra: the set that has it.
    Raises:
        ConfigError: the package, or a package that it needs in turn, is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{what} needs the package {package}: pip install -e '.[{extra}]'"
        ) from error
