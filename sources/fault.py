"""`Fault`: why a live source does not deliver at the moment."""

from __future__ import annotations

from typing import Literal


class Fault(Exception):
    """A connection could not be made or was lost; it will be tried again.

    Args:
        reason: in words for people, without secrets.
        state: what the source is in consequence.
        retry_s: wait so long before the next attempt; None to leave that to the usual backoff.
    """

    def __init__(
        self,
        reason: str,
        state: Literal["stalled", "offline"] = "offline",
        retry_s: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.state = state
        self.retry_s = retry_s
