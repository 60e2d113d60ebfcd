"""Cameras and streams on the network: RTSP, MJPEG, HLS and other video over HTTP."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit
from urllib.request import getproxies

import av
from av.codec.hwaccel import HWAccel
from av.format import Flags

from pipeline.clock import Clock
from pipeline.errors import SourceError
from pipeline.redact import redact
from sources.address import positive, read_option, take_options
from sources.fault import Fault
from sources.hardware import CHOICES, hardware_decoder
from sources.live import LiveSource, libav_source
from sources.packets import OpenedStream
from sources.silence import STALL_S
from sources.video_stream import UnusableError, select_video

RTSP_PORTS = {"rtsp": 554, "rtsps": 322}
HTTP_PORTS = {"http": 80, "https": 443}
SCHEMES = frozenset({*RTSP_PORTS, *HTTP_PORTS})

OPEN_S = 5.0
"""Limit for each of the two steps of opening; libav is told, the watchdog does not rely on it."""
REFUSED_RETRY_S = 60.0
"""What the camera refuses by name does not change by itself, and some lock out who keeps asking."""

# What a playlist or a redirection may lead to: never a file, a device or a filter of this machine.
_RTSP_PROTOCOLS = "rtsp,rtsps,rtp,srtp,udp,tcp,tls"
_HTTP_PROTOCOLS = "http,https,tcp,tls,crypto,httpproxy"

_RTSP_OPTIONS = {
    "protocol_whitelist": _RTSP_PROTOCOLS,
    # Enough to learn the rate; by default libav watches for five seconds before the first picture.
    "analyzeduration": "500000",
    "probesize": "1000000",
    "buffer_size": "2097152",  # of the UDP socket: a large keyframe comes in one burst
    "reorder_queue_size": "500",
}
_HTTP_OPTIONS = {
    "protocol_whitelist": _HTTP_PROTOCOLS,
    "analyzeduration": "1000000",
    "user_agent": "watchline",
    # Otherwise libav loses the connection on which it was asked for a password, and then the file.
    "multiple_requests": "1",
}
_OURS = frozenset({"transport", "hwaccel", "stall"})


@dataclass(frozen=True, slots=True)
class NetworkAddress:
    """Where a stream is and how to read it.

    Args:
        url: what the camera is asked for.
        transport: of RTSP, tcp or udp.
        hwaccel: one of `hardware.CHOICES`, or None for software.
        stall_s: longest silence; None for one that follows the rate.
    """

    url: str
    transport: str = "tcp"
    hwaccel: str | None = None
    stall_s: float | None = None

    @classmethod
    def parse(cls, address: str) -> NetworkAddress:
        """Read an address such as `rtsp://user:password@host/path?transport=udp`.

        Raises:
            SourceError: it names no host, or an option is wrong.
        """
        url, options = take_options(address, _OURS)
        scheme = url.partition(":")[0]
        try:
            parts = urlsplit(url)
            if not parts.hostname or parts.port == 0:
                raise SourceError(f"{redact(address)}: names no host; expected {scheme}://HOST/...")
        except ValueError as error:
            raise SourceError(
                f"{redact(address)}: its host or port cannot be read; "
                "in a password write / as %2F, # as %23, [ as %5B"
            ) from error
        choose = partial(read_option, address, options)
        return cls(
            url,
            choose("transport", _one_of("tcp", "udp"), "tcp or udp") or "tcp",
            choose("hwaccel", _one_of(*CHOICES), f"one of {', '.join(CHOICES)}"),
            choose("stall", positive, "a number of seconds above 0"),
        )


def network_source(address: str, source_id: str, clock: Clock) -> LiveSource:
    """A camera or stream on the network; connects when it is read.

    Raises:
        SourceError: the address is wrong.
    """
    parsed = NetworkAddress.parse(address)
    hardware = hardware_decoder(parsed.hwaccel, source_id) if parsed.hwaccel else None
    return libav_source(
        source_id, partial(open_network, parsed, clock, hardware), clock, parsed.stall_s
    )


@contextmanager
def open_network(
    address: NetworkAddress, clock: Clock, hardware: HWAccel | None = None
) -> Iterator[OpenedStream]:
    """Connect, find the video, and hang up at the end.

    Args:
        address: of the stream.
        clock: tells a camera that was silent from one that talks nonsense.
        hardware: decodes it, if given.
    Raises:
        Fault: the stream cannot be had, or, from inside the context, is lost.
    """
    _check_host(address.url)
    is_rtsp = address.url.partition(":")[0].lower() in RTSP_PORTS
    options = _RTSP_OPTIONS | {"rtsp_transport": address.transport} if is_rtsp else _HTTP_OPTIONS
    read_s = STALL_S if address.stall_s is None else address.stall_s
    fault: Fault | None = None
    begun_s, opened = clock.monotonic(), False
    try:
        with av.open(
            address.url,
            options=options,
            timeout=(OPEN_S, read_s),
            metadata_errors="replace",
            hwaccel=hardware,
        ) as container:
            opened = True
            stream = select_video(container)
            ends_at_s = None
            if container.duration is not None and container.duration > 0:
                ends_at_s = ((container.start_time or 0) + container.duration) / av.time_base
            yield OpenedStream(
                container,
                stream,
                paced=ends_at_s is not None or container.format.name == "hls",
                ends_at_s=ends_at_s,
                timestamped=Flags.no_timestamps not in Flags(container.format.flags),
            )
    except UnusableError as error:
        fault = Fault(str(error), retry_s=REFUSED_RETRY_S)
    except (av.error.FFmpegError, OSError) as error:
        fault = _fault(error, has_password="@" in urlsplit(address.url).netloc)
        if not opened and clock.monotonic() - begun_s >= OPEN_S:  # whatever libav makes of that
            fault = Fault("does not answer")
    if fault is not None:
        raise fault  # out here, so that no error of libav, which names the password, hangs on to it


def _check_host(url: str) -> None:
    """Look a host up, as libav only says that something went wrong.

    Raises:
        Fault: its name is unknown.
    """
    host, scheme = urlsplit(url).hostname, url.partition(":")[0].lower()
    if scheme in HTTP_PORTS and getproxies().get(scheme):
        return  # the proxy looks it up
    fault: Fault | None = None
    try:
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        fault = Fault(f"no host is known as {host!r}")
    if fault is not None:
        raise fault


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(text)
        return text

    return read


def _fault(error: Exception, *, has_password: bool) -> Fault:
    """What an error of libav means to the owner of the camera."""
    match error:
        case av.error.HTTPUnauthorizedError():
            what = "refuses the user or password" if has_password else "wants user and password"
            return Fault(f"{what} (401)", retry_s=REFUSED_RETRY_S)
        case av.error.HTTPForbiddenError():
            return Fault("refuses access (403)", retry_s=REFUSED_RETRY_S)
        case av.error.HTTPNotFoundError():
            return Fault("knows no such path (404)", retry_s=REFUSED_RETRY_S)
        case av.error.HTTPClientError():
            return Fault(f"refuses the request ({error.strerror})", retry_s=REFUSED_RETRY_S)
        case av.error.HTTPServerError():
            return Fault(f"has trouble of its own ({error.strerror})")
        case av.error.ConnectionRefusedError():
            return Fault("connection refused")
        case av.error.ExitError() | av.error.TimeoutError():
            return Fault("does not answer", "stalled")
        case av.error.InvalidDataError():
            return Fault("does not answer with a video stream")
        case av.error.ProtocolNotFoundError() | av.error.ArgumentError():
            return Fault("leads to what may not be opened from a stream")
    reason = getattr(error, "strerror", None) or type(error).__name__
    return Fault(redact(f"connection lost: {reason}"))
