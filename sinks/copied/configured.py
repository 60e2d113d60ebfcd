"""The sinks that keep what cameras send, as configured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.clock import Clock
from pipeline.recording_config import ClipsConfig, SegmentsConfig
from sinks.copied.clips import Clips
from sinks.copied.segments import Segments
from sinks.outputs import MediaFileSink


def open_copied(
    segments: SegmentsConfig | None,
    clips: ClipsConfig | None,
    clock: Clock,
    source_ids: Sequence[str],
) -> Mapping[str, MediaFileSink]:
    """Make a sink for each kind that is asked for; none touches a file until it is entered."""
    sinks: dict[str, MediaFileSink] = {}
    if segments is not None:
        sinks["segments"] = Segments(segments, clock, source_ids)
    if clips is not None:
        sinks["clips"] = Clips(clips, clock, source_ids)
    return sinks
