"""What a run amounted to, as the JSON object that `watch --quiet` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.clock import utc
from pipeline.graph import Pipeline


def summarise(
    pipeline: Pipeline, seconds: float, lost: Mapping[str, Mapping[str, int]] | None = None
) -> dict[str, Any]:
    """Sum up a run, for all sources and for each.

    Args:
        pipeline: running or ended.
        seconds: since it was started.
        lost: what sinks were given and could not write, by sink and reason.
    """
    total = pipeline.ledger.total()
    return {
        "sources": {
            source_id: _summarise_source(pipeline, source_id, seconds)
            for source_id in pipeline.watched
        },
        "captured": total.captured,
        "inferred": total.inferred,
        "dropped": dict(total.dropped),
        "sinks": {
            name: {"dropped": {**dropped, **(lost or {}).get(name, {})}}
            for name, dropped in pipeline.sinks_dropped().items()
        },
        "seconds": round(seconds, 3),
        "fps": _fps(total.inferred, seconds),
    }


def _summarise_source(pipeline: Pipeline, source_id: str, seconds: float) -> dict[str, Any]:
    counts = pipeline.ledger.counts(source_id)
    watched = pipeline.watched[source_id]
    meter, status = watched.meter, watched.status
    latency = meter.latency_s()
    return {
        "captured": counts.captured,
        "inferred": counts.inferred,
        "dropped": dict(counts.dropped),
        "detections": meter.detections,
        "fps": _fps(counts.inferred, seconds),
        "frames_fps": _fps(counts.inferred + counts.passed, seconds),
        "overload": pipeline.struggles(source_id),
        "latency_s": None if latency is None else _rounded(latency),
        "stages_s": {name: _rounded(times) for name, times in meter.stages_s().items()},
        "status": None
        if status is None
        else {
            "state": status.state,
            "reason": status.reason or None,
            "since": utc(status.since),
            "outages": watched.outages,
        },
        "error": None if watched.failure is None else str(watched.failure),
    }


def _fps(frames: int, seconds: float) -> float:
    return round(frames / seconds, 2) if seconds > 0 else 0.0


def _rounded(times_s: tuple[float, float]) -> dict[str, float]:
    return {"p50": round(times_s[0], 4), "p95": round(times_s[1], 4)}
