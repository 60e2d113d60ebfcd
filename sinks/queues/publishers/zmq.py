"""ZeroMQ: a PUSH socket. It acknowledges nothing: what is in its buffers when it ends is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import zmq

from pipeline.sink_config import ZmqSink
from sinks.queues.messages import Message
from sinks.queues.publishers.publisher import Outcome, PublishError

HIGH_WATER_MARK = 100
"""Messages in the socket's buffer, which are counted as delivered."""
_LINGER_MS = 1_000


class ZmqPublisher:
    """A PUSH socket that connects to a PULL socket.

    A message is three frames: the topic, headers as JSON, the body.

    Args:
        settings: where to, and how.
        stream: names the destination.
    """

    keep_alive_s: float | None = None

    def __init__(self, settings: ZmqSink, stream: str) -> None:
        self._stream, self._topic = stream, settings.topic.encode()
        host, port = settings.endpoint.hosts[0]
        self._ipv6 = ":" in host
        self._address = f"tcp://[{host}]:{port}" if self._ipv6 else f"tcp://{host}:{port}"
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes] | None = None

    def __enter__(self) -> Self:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUSH)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing is buffered for nobody
        self._socket.setsockopt(zmq.SNDHWM, HIGH_WATER_MARK)
        self._socket.setsockopt(zmq.LINGER, _LINGER_MS)
        self._socket.setsockopt(zmq.IPV6, int(self._ipv6))
        self._socket.connect(self._address)
        return self

    def publish(self, messages: Sequence[Message], timeout_s: float) -> Outcome:
        """See `Publisher.publish`; what the socket has taken counts as acknowledged."""
        assert self._socket is not None, "enter the publisher first"
        end_s, taken = time.monotonic() + timeout_s, list[int]()
        for message in messages:
            left_ms = max(int((end_s - time.monotonic()) * 1000), 1)
            headers = json.dumps(message.headers(self._stream)).encode()
            self._socket.setsockopt(zmq.SNDTIMEO, left_ms)
            try:
                self._socket.send_multipart([self._topic, headers, message.draft.body])
            except zmq.Again as error:
                raise PublishError("nobody takes messages", Outcome(taken)) from error
            except zmq.ZMQError as error:
                raise PublishError(str(error), Outcome(taken)) from error
            taken.append(message.seq)
        return Outcome(taken)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._socket is not None and self._context is not None:
            self._socket.close()
            self._context.term()  # waits for what is in the buffers, as long as the linger says
            self._socket = self._context = None
