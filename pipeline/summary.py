"""What a run amounted to, as the JSON object that `watch --quiet` prints."""

from __future__ import annotations

from typing import Any

from pipeline.graph import Pipeline


def summarise(pipeline: Pipeline, seconds: float) -> dict[str, Any]:
    """Sum up a run, for all sources and for each.

    Args:
        pipeline: running or ended.
        seconds: since it was started.
    """
    total = pipeline.ledger.total()
    return {
        "sources": {
            source.source_id: _summarise_source(pipeline, source.source_id, seconds)
            for source in pipeline.sources
        },
        "captured": total.captured,
        "inferred": total.inferred,
        "dropped": dict(total.dropped),
        "seconds": round(seconds, 3),
        "fps": round(total.inferred / seconds, 2) if seconds > 0 else 0.0,
    }


def _summarise_source(pipeline: Pipeline, source_id: str, seconds: float) -> dict[str, Any]:
    counts = pipeline.ledger.counts(source_id)
    meter = pipeline.meters[source_id]
    latency = meter.latency_s()
    failure = pipeline.failures.get(source_id)
    return {
        "captured": counts.captured,
        "inferred": counts.inferred,
        "dropped": dict(counts.dropped),
        "detections": meter.detections,
        "fps": round(counts.inferred / seconds, 2) if seconds > 0 else 0.0,
        "latency_s": None
        if latency is None
        else {"p50": round(latency[0], 4), "p95": round(latency[1], 4)},
        "error": None if failure is None else str(failure),
    }
