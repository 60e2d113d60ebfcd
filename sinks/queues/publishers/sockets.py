"""What the socket of a client that has no thread of its own needs."""

from __future__ import annotations

import selectors
import socket
from typing import Any

# One that needs no descriptor of its own, and knows those above 1023 where the system can.
_Selector: type[selectors.BaseSelector] = getattr(
    selectors, "PollSelector", selectors.SelectSelector
)


def ready(sock: Any, writing: bool, wait_s: float) -> tuple[bool, bool]:
    """Wait for a socket, seconds; whether it can be read, and written if that is wanted."""
    with _Selector() as selector:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
        selector.register(sock, events)
        masks = [mask for _key, mask in selector.select(wait_s)]
    return (
        any(mask & selectors.EVENT_READ for mask in masks),
        any(mask & selectors.EVENT_WRITE for mask in masks),
    )


def acknowledge_at_once(sock: Any) -> None:
    """Brokers hold acknowledgements back until TCP has acknowledged the last one, which some
    systems do after 40 ms if nothing is sent meanwhile."""
    if sock is not None and hasattr(socket, "TCP_QUICKACK"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
