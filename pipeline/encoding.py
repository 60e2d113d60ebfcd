"""How annotated video is encoded."""

from __future__ import annotations

from typing import Literal

from pipeline.settings import Settings

Codec = Literal["h264", "h265"]
Encoder = Literal["software", "auto", "nvenc", "qsv", "amf", "videotoolbox"]
Quality = Literal["fast", "balanced", "best"]


class Encoding(Settings):
    """What encodes video, and how."""

    codec: Codec = "h264"
    encoder: Encoder = "software"
    """Which hardware, if any; "auto" takes the first that the machine has."""
    quality: Quality = "balanced"
    """What counts more, time or the picture."""
