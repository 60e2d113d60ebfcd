"""Dialects: the words in which other systems hear of events."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pipeline.events import Event
from sinks.dialects import deepstream, dlstreamer, frigate, onvif, own
from sinks.dialects.parts import Record

DIALECTS: Mapping[str, Callable[[Event], Sequence[Record]]] = {
    "watchline": own.messages,
    "frigate": frigate.messages,
    "deepstream-minimal": deepstream.minimal_messages,
    "deepstream": deepstream.full_messages,
    "dlstreamer": dlstreamer.messages,
    "onvif": onvif.messages,
}
"""What a system is told of an event: JSON objects, none where it has no word for it."""

__all__ = ["DIALECTS", "Record"]
