"""The bodies of requests: JSON, small, and soon there."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import Receive

from sinks.dashboard.access.refusal import Refusal

MOST_BYTES = 256 * 1024
LONGEST_S = 10.0
"""How long a body may take to arrive."""


def has_body(headers: Headers) -> bool:
    """Whether a request brings one."""
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip("0") != ""


async def read_body(headers: Headers, receive: Receive, longest_s: float = LONGEST_S) -> bytes:
    """All of it.

    Raises:
        Refusal: it is no JSON, too long or too late, whatever the headers say.
    """
    if "transfer-encoding" in headers and "content-length" in headers:
        # A proxy may go by the one, and we by the other: what is left is no next request.
        raise Refusal(400, "content-length: may not stand beside transfer-encoding")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "content-type: must be application/json")
    too_long = Refusal(413, f"the body must have at most {MOST_BYTES} bytes")
    if int(headers.get("content-length", 0)) > MOST_BYTES:
        raise too_long
    body, more = bytearray(), True
    try:
        async with asyncio.timeout(longest_s):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refusal(400, "the body was cut off")
                body += message.get("body", b"")
                if len(body) > MOST_BYTES:
                    raise too_long
                more = message.get("more_body", False)
    except TimeoutError as error:
        raise Refusal(408, f"the body took longer than {longest_s:g} s") from error
    return bytes(body)
