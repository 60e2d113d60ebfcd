"""`Report`: what `doctor` found out about a source, and what it advises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

LONG_KEYFRAME_INTERVAL_S = 4.0
SLOW_SHARE = 0.8
"""Of the declared rate; less is worth a word."""
DAMAGED_SHARE = 0.01
"""Of the frames, lost or corrupt; more is worth a word."""
HIGH_JITTER_MS = 250.0
WRONG_CLOCK_S = 1.0
LARGE_PIXELS = 1920 * 1080


@dataclass(slots=True)
class Report:
    """One examination; None for what a source does not tell or was watched too briefly for."""

    source: str
    """Address, without secrets."""
    kind: str
    """rtsp, http, webcam, test, file or folder."""
    usable: bool = False
    problem: str | None = None
    """Why it cannot be used, or what ended the examination early."""
    transport: str | None = None
    """Of RTSP: tcp or udp."""
    seconds: float = 0.0
    """How long it was watched."""
    connect_s: float | None = None
    """From the first knock to the first packet."""
    first_picture_s: float | None = None
    """From the first knock to the first picture."""
    container: str | None = None
    codec: str | None = None
    profile: str | None = None
    width: int | None = None
    height: int | None = None
    pixel_format: str | None = None
    has_sound: bool | None = None
    declared_fps: float | None = None
    measured_fps: float | None = None
    """By our clock for cameras, by timestamps for files."""
    bitrate_kbps: float | None = None
    keyframe_interval_s: float | None = None
    """The longest seen, or as long as it was watched if there was but one."""
    reordered: bool | None = None
    """Has B-frames, which come out of the decoder late."""
    jitter_ms: float | None = None
    """By how much the latest 5 % of packets come later than the most punctual, by timestamps."""
    frames: int = 0
    """Pictures that could be made."""
    corrupt: int = 0
    """Frames that came damaged."""
    lost: int = 0
    """Frames that never came, by gaps in the timestamps."""
    decode_ms: float | None = None
    """CPU time to decode a frame, milliseconds."""
    decodable_cameras: int | None = None
    """How many such cameras all cores of this machine could decode, with nothing else to do."""
    clock_offset_s: float | None = None
    """Our clock less the camera's, travel included; None where it does not tell its time."""
    advice: list[str] = field(default_factory=list)


def advise(report: Report) -> Iterator[str]:
    """Plain words on what would make a source better, most important first."""
    damaged = report.lost + report.corrupt
    if damaged > DAMAGED_SHARE * (report.frames + damaged):
        yield f"{damaged} of {report.frames + damaged} frames were lost or damaged: " + (
            "try ?transport=tcp, which repeats what is lost"
            if report.transport == "udp"
            else "look at the cable, the Wi-Fi and the camera's bit rate"
        )
    if (
        report.measured_fps is not None
        and report.declared_fps is not None
        and report.measured_fps < SLOW_SHARE * report.declared_fps
    ):
        yield (
            f"it delivers {report.measured_fps:.1f} of the {report.declared_fps:g} frames a second "
            "it declares: long exposures in the dark and weak networks do that"
        )
    if (report.keyframe_interval_s or 0) > LONG_KEYFRAME_INTERVAL_S:
        yield (
            f"keyframes are {report.keyframe_interval_s:.1f} s apart: set one every second or two "
            "in the camera, as pictures come back only at a keyframe after a loss"
        )
    if report.reordered and report.kind not in ("file", "folder"):
        yield "it sends B-frames, which delay every picture: turn them off in the camera"
    if (report.jitter_ms or 0) > HIGH_JITTER_MS:
        yield f"frames come up to {report.jitter_ms:.0f} ms late: the network is uneven"
    if abs(report.clock_offset_s or 0) > WRONG_CLOCK_S:
        yield (
            f"its clock differs from ours by {report.clock_offset_s:.1f} s: "
            "let both keep time by the same NTP server"
        )
    if (report.width or 0) * (report.height or 0) > LARGE_PIXELS:
        yield (
            "detectors look at a few hundred pixels: a substream of the camera, 640x360 or so, "
            "costs a fraction to decode"
        )
    if report.decodable_cameras == 0:
        yield "this machine cannot decode it in time: use a smaller or slower stream"
