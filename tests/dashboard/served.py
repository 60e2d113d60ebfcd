"""`watch --dashboard` in a process of its own, and its page in a real browser."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.faults.watch_process import WatchProcess

_URL = re.compile(r"dashboard: (https?://\S+)/")


class Served(WatchProcess):
    """A run with a dashboard on a free port.

    Args:
        arguments: of `watch`, besides `--dashboard`.
        log: a file for what it prints.
        environment: of the process, besides ours.
    """

    def __init__(
        self, *arguments: object, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(*arguments, "--dashboard", "127.0.0.1:0", log=log, environment=environment)

    @property
    def url(self) -> str:
        """Of the page, once it is served."""
        self.until(lambda: _URL.search(self.printed) is not None)
        match = _URL.search(self.printed)
        assert match is not None
        return match[1]

    def get(self, path: str, **parameters: Any) -> Any:
        """What the API answers."""
        reply = httpx.get(f"{self.url}{path}", params=parameters, timeout=30)
        assert reply.status_code == 200, reply.text
        return reply.json()
