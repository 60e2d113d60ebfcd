"""Packages that only training and evaluation need; whoever just watches may be without them."""

from __future__ import annotations

from pipeline.extras import needs_package


def require_packages() -> None:
    """Make sure, before hours of work, that what is needed at their end is there.

    Raises:
        ConfigError: a package is not installed.
    """
    with needs_package("faster-coco-eval", "COCO's average precision"):
        import faster_coco_eval  # noqa: F401
    with needs_package("matplotlib", "A plot"):
        import matplotlib  # noqa: F401
