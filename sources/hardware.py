"""Decoding on a graphics card, where there is one and it is asked for."""

from __future__ import annotations

import logging

import av
from av.codec.hwaccel import HWAccel, hwdevices_available

log = logging.getLogger(__name__)

CHOICES = ("auto", "cuda", "vaapi", "qsv", "d3d11va", "dxva2", "videotoolbox")


def hardware_decoder(choice: str, source_id: str) -> HWAccel | None:
    """A hardware decoder for one source; None, with a warning, where there is none.

    Pictures come back to the memory of the CPU. Streams that the hardware cannot decode are
    decoded in software.

    Args:
        choice: one of `CHOICES`.
        source_id: for the warning.
    """
    names = hwdevices_available() if choice == "auto" else [choice]
    for name in names:
        if name not in hwdevices_available():
            continue
        accelerator = HWAccel(name, allow_software_fallback=True)
        try:
            accelerator.create(av.Codec("h264", "r"))
        except (av.error.FFmpegError, NotImplementedError, RuntimeError, OSError):
            continue
        return accelerator
    log.warning("%s: no hardware decoder (%s) here; decoding in software", source_id, choice)
    return None
