"""Sessions of people who have logged in; in memory, so they end with the run."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict

from pipeline.clock import Clock

IDLE_S = 12 * 3600.0
"""A session ends that was not used for so long."""
LONGEST_S = 7 * 86_400.0
"""So does one that began so long ago."""
MOST = 200
"""Sessions at a time; past that the oldest ends."""
_BYTES = 32
"""Of randomness in a token."""
_TOKEN_LENGTH = 43
"""Characters of so many bytes in base64 without padding."""


class Session:
    """Somebody who has logged in.

    Args:
        clock: for its end.
    """

    def __init__(self, clock: Clock) -> None:
        self.csrf = secrets.token_urlsafe(_BYTES)
        """What the page sends with each change; no other page can know it."""
        self._clock = clock
        self._begun_s = self._used_s = clock.monotonic()
        self._ended = False

    def is_valid(self) -> bool:
        """Whether it goes on."""
        now_s = self._clock.monotonic()
        lasts = now_s - self._begun_s < LONGEST_S and now_s - self._used_s < IDLE_S
        return lasts and not self._ended

    def use(self) -> None:
        """Put off its end."""
        self._used_s = self._clock.monotonic()

    def end(self) -> None:
        """Let it be valid no more."""
        self._ended = True


class Sessions:
    """Those that go on, by the hash of their tokens: whoever reads our memory cannot log in.

    Args:
        clock: for their ends.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def begin(self) -> tuple[str, Session]:
        """A new one, and the token that finds it."""
        token, session = secrets.token_urlsafe(_BYTES), Session(self._clock)
        with self._lock:
            for key in [key for key, found in self._sessions.items() if not found.is_valid()]:
                del self._sessions[key]
            if len(self._sessions) >= MOST:
                self._sessions.popitem(last=False)[1].end()
            self._sessions[_key(token)] = session
        return token, session

    def find(self, token: str) -> Session | None:
        """The session of a token, used by this; None if it has ended or never was."""
        if len(token) != _TOKEN_LENGTH:
            return None
        with self._lock:
            session = self._sessions.get(_key(token))
            if session is None or not session.is_valid():
                return None
            session.use()
            return session


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
