"""The `password` command: a password as the configuration may hold it."""

from __future__ import annotations

import sys
from getpass import getpass

import typer

from pipeline.dashboard_config import LEAST_PASSWORD, MOST_PASSWORD
from pipeline.errors import UsageError
from pipeline.extras import needs_package


def password() -> None:
    """Turn a password into the hash for dashboard.password_hash, asked for or read from stdin."""
    with needs_package("argon2-cffi", "password", "dashboard"):
        from argon2 import PasswordHasher
    chosen = _ask() if sys.stdin.isatty() else _read()
    if not LEAST_PASSWORD <= len(chosen) <= MOST_PASSWORD:
        raise UsageError(
            f"the password must have {LEAST_PASSWORD} to {MOST_PASSWORD} characters, "
            f"not {len(chosen)}"
        )
    typer.echo(PasswordHasher().hash(chosen))


def _ask() -> str:
    """Twice, as nobody sees what they type.

    Raises:
        UsageError: they are not the same.
    """
    try:
        chosen = getpass("Password: ")
        if getpass("The same again: ") != chosen:
            raise UsageError("the two passwords are not the same")
    except (EOFError, UnicodeError) as error:
        raise UsageError("there was no password") from error
    return chosen


def _read() -> str:
    """The first line of the standard input.

    Raises:
        UsageError: it is no text.
    """
    try:
        return sys.stdin.buffer.readline(8 * MOST_PASSWORD).decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UsageError("the password must be UTF-8") from error
