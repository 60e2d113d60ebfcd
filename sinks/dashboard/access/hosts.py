"""Under which names the page is served, and which pages may send it something."""

from __future__ import annotations

import re
from collections.abc import Collection

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]{2,50}\]|[a-z0-9._-]{1,253})(?::[0-9]{1,5})?")
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#@\s]+)")
_DEFAULT_PORT = {"http": ":80", "https": ":443"}
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "[::1]"})


def is_of_this_machine(host: str, listened: str) -> bool:
    """Whether a `Host` can only mean this machine.

    A name that somebody else can let point here, so that a page of theirs may read ours (DNS
    rebinding), cannot.

    Args:
        host: as the browser sent it, with or without a port.
        listened: the address or name that the server listens on.
    """
    match = _HOST.fullmatch(host.lower())
    return match is not None and (
        match["name"] in _THIS_MACHINE or match["name"].strip("[]") == listened.lower()
    )


def is_own_page(origin: str, host: str, names: Collection[str], *, encrypted: bool = False) -> bool:
    """Whether an `Origin` is that of our page.

    Args:
        origin: of the page that sends a request.
        host: that the request is sent to.
        names: by which the page is reached through a proxy that sends another `Host`.
        encrypted: whether the request is: then our page is too, and whoever is on the way could
            make one of the same name that is not.
    """
    match = _ORIGIN.fullmatch(origin.lower())
    if match is None or (encrypted and match["scheme"] == "http"):
        return False
    default_port = _DEFAULT_PORT[match["scheme"]]
    theirs = match["host"].removesuffix(default_port)
    return theirs == host.lower().removesuffix(default_port) or theirs in names
