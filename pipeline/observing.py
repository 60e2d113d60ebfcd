"""What a running pipeline tells of itself, in the words of `pipeline.control`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pipeline.config_file import plain
from pipeline.config_parts import SourceConfig
from pipeline.control import Camera, CameraStateName, Measures, SinkMeasures, SourceMeasures
from pipeline.graph import Pipeline
from pipeline.redact import redact
from pipeline.watched import Watched


def camera_of(
    pipeline: Pipeline, settings: SourceConfig, paused: datetime | None, now_s: float
) -> Camera:
    """One source as it is at the moment.

    Args:
        pipeline: has it, perhaps no more.
        settings: of the source, with its id.
        paused: since when; None where it is not.
        now_s: by the monotonic clock.
    """
    source_id = settings.id
    assert source_id is not None, "sources of a run have one"
    watched = pipeline.watched[source_id]
    state, reason, since = _state(watched) if paused is None else ("paused", "", paused)
    meter = watched.meter
    return Camera(
        id=source_id,
        address=redact(settings.source),
        live=watched.source.live,
        state=state,
        reason=redact(reason),
        since=since,
        outages=watched.outages,
        size=meter.size,
        fps=meter.frames_fps(now_s),
        detect_fps=meter.fps(now_s),
        latency_s=meter.latency_s(),
        counts=pipeline.ledger.counts(source_id),
        overload=pipeline.struggles(source_id),
        settings={
            "detect_fps": settings.detect_fps,
            "motion": plain(settings).get("motion"),
            "priority": settings.priority,
        },
    )


def _state(watched: Watched) -> tuple[CameraStateName, str, datetime | None]:
    """What a source is doing, why, and since when."""
    status = watched.status
    if watched.failure is not None:
        return "failed", str(watched.failure), None
    if watched.ended:
        return "ended", "", None
    if not watched.source.live:
        return "reading", "", None
    if status is None:
        return "connecting", "", None
    return status.state, status.reason, status.since


def measures_of(pipeline: Pipeline, class_names: Sequence[str]) -> Measures:
    """What was counted up to now."""
    return Measures(
        sources={
            source_id: SourceMeasures(
                counts=pipeline.ledger.counts(source_id),
                outages=watched.outages,
                detections=watched.meter.detections,
                queued=len(watched.lane.items),
                latency=watched.meter.latency,
                stages=watched.meter.stages,
            )
            for source_id, watched in list(pipeline.watched.items())  # others may add to it
        },
        sinks={
            name: SinkMeasures(outlet.waiting, outlet.dropped)
            for name, outlet in pipeline.outlets.all.items()
        },
        batch_sizes=pipeline.batches.sizes,
        detector_load=pipeline.batches.load,
        class_names=class_names,
    )
