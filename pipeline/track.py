"""The track stage: identities for detections, and where objects are in frames without any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import replace

from pipeline.tracking.byte_track import ByteTracker
from pipeline.tracking.settings import TrackerSettings
from pipeline.types import Result


def track(
    results: Iterable[Result],
    settings: TrackerSettings,
    trackers: MutableMapping[str, ByteTracker] | None = None,
) -> Iterator[Result]:
    """Follow the objects of every source.

    Args:
        results: of any number of sources, each in order, with their `lapse`.
        settings: for all of them.
        trackers: gets that of each source, for whoever is to end its tracks.
    Yields:
        The same results, in order. Their detections are the sure ones, with track ids, and
        `tracks` says where the objects are: in frames that the detector was not given too.
    """
    trackers = {} if trackers is None else trackers
    for result in results:
        frame = result.frame
        tracker = trackers.get(frame.source_id)
        if tracker is None:
            tracker = trackers[frame.source_id] = ByteTracker(settings)
        yield _followed(tracker, result)


def _followed(tracker: ByteTracker, result: Result) -> Result:
    size, detections, lapse = result.frame.size, result.detections, result.lapse
    if result.passed is None:
        unsure = detections.below(tracker.settings.sure_score)
        detections, tracks = tracker.update(detections, size, lapse)
        return replace(result, detections=detections, tracks=tracks, unsure=unsure)
    tracks = tracker.hold(size, lapse) if result.passed == "still" else tracker.coast(size, lapse)
    return replace(result, detections=detections.above(tracker.settings.sure_score), tracks=tracks)
