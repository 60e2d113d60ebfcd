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
            f"{what} needs the package {package}: pip install -e '.[train]'"
        ) from error


def require_packages() -> None:
    """Make sure, before hours of work, that what is needed at their end is there.

    Raises:
        ConfigError: a package is not installed.
    """
    with needs_package("faster-coco-eval", "COCO's average precision"):
        import faster_coco_eval  # noqa: F401
    with needs_package("matplotlib", "A plot"):
        import matplotlib  # noqa: F401
