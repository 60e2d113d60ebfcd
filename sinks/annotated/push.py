"""Annotated streams, pushed to a media server over RTSP, RTMP or SRT."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import av

from pipeline.backoff import delay_s
from pipeline.clock import Clock
from pipeline.errors import ConfigError
from pipeline.redact import redact
from pipeline.types import Result
from sinks.annotated.pushed_stream import STOP_S, PushedStream


def push_addresses(url: str, source_ids: Sequence[str]) -> dict[str, str]:
    """The address of each source.

    Raises:
        ConfigError: several sources would go to the same one, or libav knows no such protocol.
    """
    if len(source_ids) > 1 and "{source}" not in url:
        raise ConfigError(
            f"push: {redact(url)}: one stream cannot hold {len(source_ids)} sources; "
            "put {source} into the address"
        )
    scheme = urlsplit(url).scheme.lower()
    if scheme == "srt":
        _check_protocol(scheme)
    return {source_id: url.replace("{source}", source_id) for source_id in source_ids}


def _check_protocol(scheme: str) -> None:
    try:
        with av.open(f"{scheme}://127.0.0.1:1?timeout=1000", "w", format="mpegts") as container:
            container.start_encoding()
    except av.error.ProtocolNotFoundError as error:
        raise ConfigError(
            f"push: this build of PyAV knows no {scheme}://; push to rtsp:// or rtmp://"
        ) from error
    except (av.error.FFmpegError, OSError):  # nobody is there, of course
        pass


class Push:
    """Sends the annotated pictures of sources, each in a thread and a process of its own.

    Args:
        addresses: by source.
        clock: for the length of outages.
        delay: seconds to wait after a failure, by the seconds of the outage.
        template: where sources that join later are sent to, with {source} in it; without that, and
            by default, they are not sent.
    """

    def __init__(
        self,
        addresses: Mapping[str, str],
        clock: Clock,
        delay: Callable[[float], float] = delay_s,
        template: str = "",
    ) -> None:
        self.files: Sequence[Path] = ()
        """See `FileSink.files`: there are none."""
        self._clock, self._delay = clock, delay
        self._addresses = addresses
        self._template = template if "{source}" in template else None
        self._dropped = 0
        """By streams that others took the place of."""
        self.streams = {
            source_id: PushedStream(source_id, url, clock, delay)
            for source_id, url in addresses.items()
        }

    @property
    def lost(self) -> Mapping[str, int]:
        """See `FileSink.lost`: frames that newer ones took the place of, or no server took."""
        dropped = self._dropped + sum(stream.dropped for stream in list(self.streams.values()))
        return {"server": dropped} if dropped else {}

    def prepare(self) -> None:
        """See `FileSink.prepare`: a server need not be there yet."""

    def __enter__(self) -> Self:
        for stream in self.streams.values():
            stream.start()
        return self

    def write(self, result: Result, /) -> None:
        """Offer a result to its stream; never waits."""
        source_id = result.frame.source_id
        stream = self.streams.get(source_id)
        if stream is None or stream.closing:
            stream = self._begin(source_id)
        if stream is not None:
            stream.offer(result)

    def end_source(self, source_id: str, /) -> None:
        """Let the stream of a source that has ended end; if it comes again, there is another."""
        if source_id in self.streams:
            self.streams[source_id].close()

    def _begin(self, source_id: str) -> PushedStream | None:
        """A stream for a source that comes, perhaps again; None where it is not sent."""
        url = self._addresses.get(source_id)
        if url is None and self._template is not None:
            url = self._template.replace("{source}", source_id)
        if url is None:
            return None
        before = self.streams.get(source_id)
        if before is not None:
            before.join(STOP_S)
            self._dropped += before.dropped
        stream = self.streams[source_id] = PushedStream(source_id, url, self._clock, self._delay)
        stream.start()
        return stream

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for stream in self.streams.values():
            stream.close()
        end_s = self._clock.monotonic() + STOP_S  # for all of them together
        for stream in self.streams.values():
            stream.join(max(end_s - self._clock.monotonic(), 0.0))
