"""Files of recordings as replies, whole or in parts."""

from __future__ import annotations

import os
from io import FileIO
from typing import Any

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.responses import FileResponse, JSONResponse
from starlette.types import Message, Receive, Scope, Send

from sinks.dashboard.problem import Problem
from sinks.dashboard.recordings import Kind, Recordings

MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
}

_FAULTS = {
    400: "Range: must be a range of bytes, as bytes=0-1023",
    416: "Range: begins behind the end of the file",
}
_DESCRIPTORS = "/proc/self/fd"

FILE_REPLIES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type in MEDIA_TYPES.values()
        },
    },
    206: {"description": "The part that `Range` asks for."},
    400: {"model": Problem},
    404: {"model": Problem},
    416: {"model": Problem},
    422: {"model": Problem},
}
"""For the description of a route."""


class RecordedFile(FileResponse):
    """A file that is open already, so that none can be deleted or put in its place meanwhile.

    Args:
        file: closed when it has been sent.
        name: that it is saved by.
        download: whether it is to be saved, and not shown.
    """

    def __init__(self, file: FileIO, name: str, *, download: bool) -> None:
        super().__init__(
            f"{_DESCRIPTORS}/{file.fileno()}" if os.path.isdir(_DESCRIPTORS) else file.name,
            media_type=MEDIA_TYPES[os.path.splitext(name)[1]],
            filename=name,
            stat_result=os.fstat(file.fileno()),
            content_disposition_type="attachment" if download else "inline",
        )
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        refused: JSONResponse | None = None

        async def check(message: Message) -> None:
            nonlocal refused
            status = message.get("status", 200)
            if status in _FAULTS:
                length = Headers(raw=message["headers"]).get("content-range")
                headers = {} if length is None else {"Content-Range": length}
                refused = JSONResponse({"detail": _FAULTS[status]}, status, headers)
                await refused(scope, receive, send)
            elif refused is None:
                await send(message)

        with self._file:
            await super().__call__(scope, receive, check)


def recorded_file(
    recordings: Recordings, kind: Kind, camera: str, name: str, suffixes: set[str], download: bool
) -> RecordedFile:
    """A file of a recording as a reply.

    Raises:
        HTTPException: 404, there is no such file.
    """
    file = recordings.open(kind, camera, name, suffixes)
    if file is None:
        raise HTTPException(404, "there is no such file, or it has been deleted")
    return RecordedFile(file, name, download=download)
