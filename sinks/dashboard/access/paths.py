"""Which requests need no credentials; all others do, whatever routes there are."""

from __future__ import annotations

SESSION = "/api/session"
_PUBLIC = frozenset({"/", SESSION, "/api/health/live", "/api/health/ready"})
_STATIC = "/static/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def is_safe(method: str) -> bool:
    """Whether a method changes nothing (RFC 9110 section 9.2.1)."""
    return method in _SAFE


def is_page(path: str) -> bool:
    """Whether it is the page itself, which holds no secrets."""
    return path == "/" or path.startswith(_STATIC)


def is_login(method: str, path: str) -> bool:
    """Whether somebody tells the password."""
    return (method, path) == ("POST", SESSION)


def is_public(method: str, path: str) -> bool:
    """Whether strangers may ask for it."""
    return is_login(method, path) or (is_safe(method) and (is_page(path) or path in _PUBLIC))
