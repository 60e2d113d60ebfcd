"""Passwords out of everything that people, logs and other programs get to see."""

from __future__ import annotations

import re

HIDDEN = "***"

_BEGIN = re.compile(r"(?P<quote>['\"]?)[a-z][a-z0-9+.-]{0,20}://", re.IGNORECASE)
# An address ends at a space, or at the quote before it unless that is escaped or goes on like one.
_ADDRESS = {
    quote: re.compile(rf"(?:\\\S|[^\s\\{quote}]|{quote}(?=[\w@]))*") for quote in ("", "'", '"')
}
_HOST = re.compile(r"(?:\[[^\]]*\]|[^:/?]*)(?::\d+(?!\?))?(?:[/?]|$)")
_ENCODED_USER = re.compile(r"(?P<begin>%3A%2F%2F)(?:(?!%2F)[^\s&'\"])*%40", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(
    r"(?P<name>(?:[?&;/](?:"
    r"[a-z0-9_.-]*(?:password|passwd|passphrase|secret|token|signature|credential)"
    r"|pwd|pass|psw|pw|auth|key|apikey|api_key|access_key|user|usr|username|loginuse|loginpas|sig"
    r"|jwt|session|session_?id|sid)"
    r"|_(?:user|password|passwd|pwd))=)"  # some cameras want user=ME_password=SECRET in the path
    # A colon, comma or full stop before a space is the sentence's, not the secret's.
    r"(?:[^&#;:,.\s'\"]|[:,.](?=\S)|['\"](?=\w))*",
    re.IGNORECASE,
)


def redact(text: str) -> str:
    """Hide the secrets of every URL in a text: user and password, and parameters that tell them.

    >>> redact("rtsp://admin:hunter2@10.0.0.5/cam?channel=1&token=abc")
    'rtsp://***@10.0.0.5/cam?channel=1&token=***'
    """
    shown, position = "", 0
    begins = list(_BEGIN.finditer(text))
    ends = [*(begin.start() for begin in begins[1:]), len(text)]
    for begin, end in zip(begins, ends, strict=False):
        address = _ADDRESS[begin["quote"]].match(text, begin.end(), end)
        length = 0 if address is None else _length_of_user(address[0])
        if length > 0:
            shown += text[position : begin.end()] + f"{HIDDEN}@"
            position = begin.end() + length
    text = _ENCODED_USER.sub(rf"\g<begin>{HIDDEN}%40", shown + text[position:])
    return _SECRET_PARAMETER.sub(rf"\g<name>{HIDDEN}", text)


def _length_of_user(address: str) -> int:
    """How much of an address, which begins after `://`, are user and password; 0 for none."""
    end = re.split("[/?]", address, maxsplit=1)[0].rfind("@") + 1
    if not _HOST.match(address, end):  # a colon with no port behind it: the password holds a slash
        end = max(end, address.rfind("@") + 1)
    return end
