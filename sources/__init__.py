"""Where frames come from."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from pipeline.clock import Clock
from pipeline.errors import SourceError
from pipeline.protocols import Source
from sources.file import FileSource
from sources.images import ImageFolder

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def open_source(
    address: str,
    source_id: str,
    clock: Clock,
    on_skip: Callable[[str], None],
) -> Source:
    """Open what `address` names: a video file or a folder of pictures.

    Raises:
        SourceError: it is neither, or cannot be opened.
    """
    if _URL.match(address):
        scheme = address.split(":", 1)[0]
        raise SourceError(
            f"{scheme}:// sources are not supported yet; give a video file or a folder of pictures"
        )
    path = Path(address)
    if os.path.isdir(path):  # the method raises for a name that is too long
        return ImageFolder(path, source_id, clock, on_skip)
    return FileSource(path, source_id, clock, on_skip)
