"""Where the dashboard is served, who may see it, and what it remembers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from pipeline.retention_config import Age, Size
from pipeline.settings import FilePath, Settings

LEAST_PASSWORD = 8
"""Characters of a password."""
MOST_PASSWORD = 1000
LEAST_TOKEN = 16
"""The same of a token."""
IN_PART = object()
"""The context of validating some of the settings: the password may be among the others."""
SECRETS = ("dashboard.password", "dashboard.password_hash", "dashboard.token")
"""Keys whose values nobody may see."""

_LISTEN = re.compile(
    r"(?:(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]{1,253}):)?(?P<port>[0-9]{1,5})"
)
_HOST = re.compile(r"[a-z0-9.-]{1,253}")
_ARGON2 = re.compile(r"\$argon2(?:id|i|d)\$[!-~]{1,500}")


class TlsConfig(Settings):
    """Serve the page encrypted."""

    certificate: FilePath
    """PEM, with the chain."""
    key: FilePath
    """PEM, without a password."""


class KeepConfig(Settings):
    """When the oldest events of the history go."""

    max_age: Age = 30 * 86_400.0
    """Seconds, or "12h", "7d"."""
    max_size: Size = 256e6
    """Bytes, or "500MB", of events and pictures together."""


class DashboardConfig(Settings):
    """A web page to watch and steer the run, and an API."""

    listen: str | None = None
    """PORT for this machine alone, or HOST:PORT; [::1]:8080 for IPv6. None for no page."""
    password: str | None = Field(default=None, repr=False)
    """What people log in with."""
    password_hash: str | None = Field(default=None, repr=False)
    """The same by its argon2 hash, as `watchline password` makes it."""
    token: str | None = Field(default=None, repr=False)
    """What programs send as `Authorization: Bearer TOKEN`."""
    hosts: list[str] = Field(default_factory=list, max_length=100)
    """Names by which the page is reached besides its own address, behind a proxy for instance."""
    tls: TlsConfig | None = None
    folder: FilePath | None = None
    """Where events and their pictures are kept over restarts; None for in memory."""
    keep: KeepConfig = KeepConfig()

    @field_validator("listen", mode="before")
    @classmethod
    def _accept_port(cls, value: object) -> object:
        return str(value) if type(value) is int else value

    @field_validator("listen")
    @classmethod
    def _check_listen(cls, value: str | None) -> str | None:
        if value is not None:
            match = _LISTEN.fullmatch(value)
            if match is None or int(match["port"]) > 65_535:
                raise ValueError("must be PORT or HOST:PORT, as 8080 or 0.0.0.0:8080")
        return value

    @field_validator("password")
    @classmethod
    def _check_password(cls, value: str | None) -> str | None:
        if value is not None and not LEAST_PASSWORD <= len(value) <= MOST_PASSWORD:
            raise ValueError(f"must have {LEAST_PASSWORD} to {MOST_PASSWORD} characters")
        return value

    @field_validator("password_hash")
    @classmethod
    def _check_hash(cls, value: str | None) -> str | None:
        if value is not None and not _ARGON2.fullmatch(value):
            raise ValueError("must be an argon2 hash; 'watchline password' makes one")
        return value

    @field_validator("token")
    @classmethod
    def _check_token(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(rf"[!-~]{{{LEAST_TOKEN},1000}}", value):
            raise ValueError(f"must have at least {LEAST_TOKEN} characters, without spaces")
        return value

    @field_validator("hosts")
    @classmethod
    def _check_hosts(cls, value: list[str]) -> list[str]:
        for name in value:
            if not _HOST.fullmatch(name):
                raise ValueError("must be names of hosts in small letters, without ports")
        return value

    @model_validator(mode="after")
    def _check_secured(self, info: ValidationInfo) -> DashboardConfig:
        """Whoever can reach the page can see the cameras."""
        if self.password is not None and self.password_hash is not None:
            raise _fault("password_hash: there is a password too; give either")
        if self.listen is None or self.needs_login or info.context is IN_PART:
            return self
        if self.hosts or not self.is_loopback:
            raise _fault(
                f"listen: {self.listen} can be reached from other machines, so people must log in: "
                "set WATCHLINE__DASHBOARD__PASSWORD, or dashboard.password_hash or dashboard.token"
            )
        return self

    @property
    def host(self) -> str:
        """The address or name to listen on, without brackets."""
        match = _LISTEN.fullmatch(self.listen or "")
        assert match is not None, "there is a page"
        return (match["host"] or "127.0.0.1").strip("[]")

    @property
    def port(self) -> int:
        """0 for any that is free."""
        return int((self.listen or "").rpartition(":")[2])

    @property
    def is_loopback(self) -> bool:
        """Whether it can be reached from this machine only."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name
            return False

    @property
    def needs_login(self) -> bool:
        """Whether nobody sees anything without a password or a token."""
        return any((self.password, self.password_hash, self.token))


def _fault(message: str) -> PydanticCustomError:
    """An error that shows no value, as there are secrets among them."""
    return PydanticCustomError("within", "{message}", {"message": message})


def _accept_address(value: object) -> object:
    """`dashboard: 8080` stands for its settings with that address."""
    return value if isinstance(value, Mapping | Settings) else {"listen": value}


DashboardSettings = Annotated[DashboardConfig, BeforeValidator(_accept_address)]
