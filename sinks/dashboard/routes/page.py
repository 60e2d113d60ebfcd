"""The page: files that are read once, at start, and nothing else."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from fastapi import APIRouter, HTTPException, Request, Response

INDEX = "index.html"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""What browsers insist on, whatever this machine takes these for."""


@dataclass(frozen=True, slots=True)
class _File:
    """A part of the page."""

    content: bytes
    media_type: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> Self:
        """From the disk."""
        content = path.read_bytes()
        guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        media_type = _MEDIA_TYPES.get(path.suffix, guessed)
        return cls(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')

    def reply(self, request: Request) -> Response:
        """All of it, or that it has not changed."""
        headers = {"ETag": self.etag, "Cache-Control": "no-cache"}
        known = request.headers.get("if-none-match", "")
        if self.etag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def page_router(folder: Path) -> APIRouter:
    """The routes of the page.

    Args:
        folder: has its files, `index.html` among them.
    """
    files = {path.name: _File.read(path) for path in folder.glob("*") if path.is_file()}
    router = APIRouter(include_in_schema=False)

    def send(name: str, request: Request) -> Response:
        file = files.get(name)
        if file is None:
            raise HTTPException(404, "there is no such file")
        return file.reply(request)

    @router.get("/")
    async def show_index(request: Request) -> Response:
        return send(INDEX, request)

    @router.get("/static/{name}")
    async def show_file(name: str, request: Request) -> Response:
        return send(name, request)

    return router
