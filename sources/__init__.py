"""Where frames come from."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from pipeline.clock import Clock
from pipeline.errors import SourceError
from pipeline.protocols import Source
from pipeline.redact import redact
from sources.file import FileSource
from sources.images import ImageFolder
from sources.network import SCHEMES, network_source
from sources.pattern import pattern_source
from sources.webcam import is_webcam, webcam_source

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_LOOP = "?loop"

_BY_SCHEME: dict[str, Callable[[str, str, Clock], Source]] = {
    **dict.fromkeys(sorted(SCHEMES), network_source),
    "test": pattern_source,
}


def open_source(address: str, source_id: str, clock: Clock) -> Source:
    """Open what `address` names.

    That is a URL (rtsp, rtsps, http, https, test), a camera of this machine (`0`, `/dev/video0`), a
    folder of pictures, or a video file, which `?loop` after its name plays for ever.

    Raises:
        SourceError: it is none of these, or a file or folder that cannot be opened.
    """
    scheme = _SCHEME.match(address)
    if scheme:
        opener = _BY_SCHEME.get(scheme[1].lower())
        if opener is None:
            known = ", ".join(f"{name}://" for name in _BY_SCHEME)
            raise SourceError(f"{redact(address)}: not a known kind of source; known are {known}")
        return opener(address, source_id, clock)
    if is_webcam(address):
        return webcam_source(address, source_id, clock)
    if os.path.isdir(address):
        return ImageFolder(Path(address), source_id, clock)
    loop = address.endswith(_LOOP) and not os.path.exists(address)
    return FileSource(
        Path(address.removesuffix(_LOOP) if loop else address), source_id, clock, loop
    )
