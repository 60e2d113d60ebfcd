"""`Access`: who may see the dashboard, as configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from starlette.datastructures import Headers

from pipeline.clock import Clock
from pipeline.dashboard_config import DashboardConfig
from sinks.dashboard.access.caller import Caller
from sinks.dashboard.access.credentials import Credentials
from sinks.dashboard.access.login_limit import LoginLimit
from sinks.dashboard.access.sessions import Sessions

COOKIE = "watchline_session"


@dataclass(frozen=True, slots=True)
class Access:
    """Knows callers by what they send."""

    credentials: Credentials
    sessions: Sessions
    limit: LoginLimit
    host: str
    """The address or name that is listened on."""
    names: frozenset[str]
    """By which the page is reached through a proxy."""

    @classmethod
    def configured(cls, config: DashboardConfig, clock: Clock) -> Self:
        """As the settings say.

        Raises:
            ConfigError: see `Credentials`.
        """
        return cls(
            Credentials(config),
            Sessions(clock),
            LoginLimit(clock),
            config.host,
            frozenset(config.hosts),
        )

    def caller(self, headers: Headers) -> Caller:
        """Who sends a request."""
        if not self.credentials.required:
            return Caller(is_known=True)
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return Caller(is_known=self.credentials.accepts_token(token.strip()))
        for value in _cookies(headers):
            session = self.sessions.find(value)
            if session is not None:
                return Caller(is_known=True, session=session)
        return Caller(is_known=False)


def _cookies(headers: Headers) -> list[str]:
    """The values of our cookie: pages of neighbouring hosts can add some of their own."""
    pairs = [pair.partition("=") for line in headers.getlist("cookie") for pair in line.split(";")]
    return [value.strip() for name, _, value in pairs if name.strip() == COOKIE]
