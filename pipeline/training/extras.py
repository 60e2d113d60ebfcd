"""Packages that only training and evaluation need; whoever just watches may be without them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import ConfigError


@contextmanager
def needs_package(package: str, what: str) -> Iterator[None]:
    """Import inside this, so that a missing package is told of in one line.

    Args:
        package: its name in the package index.
        what: the thing that cannot be had without it, as the subject of a sentence.
    Raises:
        ConfigError: the package, or a package that it needs in turn, is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{what} needs the package {package}: pip install 'watchline[train]'"
        ) from error
