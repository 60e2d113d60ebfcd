"""Passwords out of everything that people, logs and other programs get to see."""

from __future__ import annotations

import re

HIDDEN = "***"

_USER_INFO = re.compile(
    # The user and password of a URL: all up to the last @ before the path. Where a colon follows
    # that is no port, the password holds a slash, and all up to the last @ is hidden.
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)"
    r"(?:[^\s/?#'\"]*@|[^\s/?#'\"@]*:(?!\d*(?:[/?#\s'\"]|$))[^\s'\"]*@)",
    re.IGNORECASE,
)
_SECRET_PARAMETER = re.compile(
    r"(?P<name>[?&;](?:[a-z0-9_.-]*(?:password|passwd|secret|token|signature|credential)"
    r"|pwd|pass|psw|auth|key|apikey|api_key|access_key|user|usr|username|loginuse|loginpas|sig)=)"
    r"[^&#;\s'\"]*",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Hide the secrets of every URL in a text: user and password, and parameters that tell them.

    >>> redact("rtsp://admin:hunter2@10.0.0.5/cam?channel=1&token=abc")
    'rtsp://***@10.0.0.5/cam?channel=1&token=***'
    """
    text = _USER_INFO.sub(rf"\g<scheme>{HIDDEN}@", text)
    return _SECRET_PARAMETER.sub(rf"\g<name>{HIDDEN}", text)
