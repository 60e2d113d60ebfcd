"""Webhooks: a signed POST for each message."""

from __future__ import annotations

import hashlib
import hmac
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import urllib3
from urllib3.exceptions import HTTPError

from pipeline.redact import redact
from pipeline.sink_config import WebhookSink
from sinks.queues.messages import Message
from sinks.queues.publishers.publisher import Outcome, PublishError
from sinks.queues.publishers.tls import tls_context

MAX_RETRY_S = 300.0
"""A server may ask for so long to be left alone."""
MAX_ANSWER_BYTES = 65_536

# What goes wrong is told of by us, without the address.
logging.getLogger("urllib3").setLevel(logging.ERROR)

_TRY_AGAIN = frozenset({401, 403, 404, 405, 407, 408, 410, 421, 425, 429})
"""Client errors that are about the address, the login or the load, not about the message."""


class WebhookPublisher:
    """A client of a web server.

    Args:
        settings: where to, and how.
        stream: names the destination.
    """

    keep_alive_s: float | None = None

    def __init__(self, settings: WebhookSink, stream: str) -> None:
        self._stream = stream
        secret = settings.secret
        self._secret = None if secret is None else secret.get_secret_value().encode()
        tls = tls_context(settings) if settings.endpoint.scheme == "https" else None
        endpoint = settings.endpoint
        self._headers: dict[str, str] = {}
        if endpoint.user is not None:
            basic = f"{endpoint.user}:{endpoint.password or ''}"
            self._headers = dict(urllib3.make_headers(basic_auth=basic))
        self._url = urllib3.util.parse_url(settings.url)._replace(auth=None).url
        self._pool = urllib3.PoolManager(1, retries=False, ssl_context=tls)

    def __enter__(self) -> Self:
        return self

    def publish(self, messages: Sequence[Message], timeout_s: float) -> Outcome:
        """See `Publisher.publish`."""
        end_s = time.monotonic() + timeout_s
        acknowledged: list[int] = []
        refused: dict[int, str] = {}
        for message in messages:
            left_s = end_s - time.monotonic()
            try:
                if left_s <= 0:
                    raise PublishError("the server is slow")
                fault = self._post(message, left_s)
            except PublishError as error:
                outcome = Outcome(acknowledged, refused)
                raise PublishError(str(error), outcome, error.retry_s) from error
            if fault is None:
                acknowledged.append(message.seq)
            else:
                refused[message.seq] = fault
        return Outcome(acknowledged, refused)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.clear()

    def _post(self, message: Message, timeout_s: float) -> str | None:
        """Send one; why it was refused, None if it was taken.

        Raises:
            PublishError: it has to be sent again.
        """
        end_s = time.monotonic() + timeout_s
        try:
            response = self._pool.request(
                "POST",
                self._url,
                body=message.draft.body,
                headers=self._headers_of(message),
                timeout=urllib3.Timeout(total=timeout_s),
                redirect=False,
                preload_content=False,
            )
        except HTTPError as error:
            raise PublishError(_words(error)) from error
        _read_up(response, end_s)
        status = response.status
        if 200 <= status < 300:
            return None
        if 300 <= status < 400:
            raise PublishError(f"HTTP {status}: redirects are not followed; name the last address")
        if status in _TRY_AGAIN or status >= 500:
            raise PublishError(f"HTTP {status}", retry_s=_retry_s(response.headers))
        return f"HTTP {status}"

    def _headers_of(self, message: Message) -> dict[str, str]:
        headers = {
            **self._headers,
            "Content-Type": "application/json",
            "User-Agent": "watchline",
            "Idempotency-Key": message.draft.key,
            "X-Watchline-Stream": self._stream,
            "X-Watchline-Seq": str(message.seq),
        }
        if self._secret is not None:
            headers["X-Watchline-Signature"] = sign(
                self._secret, int(time.time()), message.draft.body
            )
        return headers


def _read_up(response: urllib3.BaseHTTPResponse, end_s: float) -> None:
    """Read the rest of an answer, so that the connection can be used again.

    Not for ever, nor whatever comes: its status has said all that matters.
    """
    size = 0
    try:
        while chunk := response.read1(4096):
            size += len(chunk)
            if time.monotonic() > end_s or size > MAX_ANSWER_BYTES:
                response.close()
                break
    except HTTPError:
        response.close()
    finally:
        response.release_conn()


def sign(secret: bytes, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 of the time and the body, as `t=<seconds since 1970>,v1=<hexadecimal>`."""
    digest = hmac.new(secret, b"%d." % timestamp + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def _retry_s(headers: urllib3.HTTPHeaderDict) -> float | None:
    """What Retry-After says, in seconds or as a date."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return min(float(text), MAX_RETRY_S)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(max((until - datetime.now(UTC)).total_seconds(), 0.0), MAX_RETRY_S)


def _words(error: HTTPError) -> str:
    """What went wrong, without the address that the text of the error begins with."""
    reason = error.args[-1] if error.args else type(error).__name__
    return redact(str(reason).rpartition("object at ")[2].partition(": ")[2] or str(reason))
