"""Headers that every reply bears, so that a browser does with it only what the page needs."""

from __future__ import annotations

from collections.abc import Iterable

from sinks.dashboard.access.paths import is_page

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
_PROTECTION = {
    b"content-security-policy": _POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_NOT_KEPT = {b"cache-control": b"no-store"}
"""What only some may see is in no cache."""


def protect(headers: Iterable[tuple[bytes, bytes]], path: str) -> list[tuple[bytes, bytes]]:
    """The headers of a reply with those that protect it, whatever a route says of these."""
    ours = _PROTECTION if is_page(path) else _PROTECTION | _NOT_KEPT
    return [(name, value) for name, value in headers if name.lower() not in ours] + [*ours.items()]
