"""What people and programs prove themselves with."""

from __future__ import annotations

import hashlib
import hmac

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from pipeline.dashboard_config import DashboardConfig
from pipeline.errors import ConfigError


class Credentials:
    """A password by its argon2 hash and a token by its SHA-256; themselves they are forgotten.

    Args:
        config: has them, or has none.
    Raises:
        ConfigError: the hash is none.
    """

    def __init__(self, config: DashboardConfig) -> None:
        self._hasher = PasswordHasher()
        self._token = None if config.token is None else _digest(config.token)
        self._password_hash = config.password_hash
        if config.password is not None:
            self._password_hash = self._hasher.hash(config.password)
        elif config.password_hash is not None:
            self._check(config.password_hash)

    @property
    def required(self) -> bool:
        """Whether nobody sees anything without."""
        return self._token is not None or self._password_hash is not None

    def accepts_password(self, password: str) -> bool:
        """Whether people may log in with it: the token, where there is no password. Takes long."""
        if self._password_hash is None:
            return self.accepts_token(password)
        try:
            return self._hasher.verify(self._password_hash, password.encode(errors="replace"))
        except VerifyMismatchError:
            return False

    def accepts_token(self, token: str) -> bool:
        """Whether programs may use it; takes as long whatever is wrong with it."""
        return self._token is not None and hmac.compare_digest(self._token, _digest(token))

    def _check(self, password_hash: str) -> None:
        try:
            self._hasher.verify(password_hash, b"")
        except VerifyMismatchError:
            return
        except (InvalidHashError, VerificationError) as error:
            raise ConfigError(
                "dashboard.password_hash: is no whole argon2 hash; 'watchline password' makes one"
            ) from error


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="replace")).digest()
