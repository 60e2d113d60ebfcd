"""`Caller`: who a request is from."""

from __future__ import annotations

from dataclasses import dataclass

from sinks.dashboard.access.sessions import Session


@dataclass(frozen=True, slots=True)
class Caller:
    """Found by the gate, and handed to routes as `request.state.caller`."""

    is_known: bool
    """Whether they may see everything; strangers may see what is public."""
    session: Session | None = None
    """Of somebody who has logged in."""

    def is_valid(self) -> bool:
        """Whether that still holds; what goes on for long asks every few seconds."""
        return self.is_known and (self.session is None or self.session.is_valid())
