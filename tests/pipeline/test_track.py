"""The track stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest

from pipeline.picture import Picture
from pipeline.stream_time import keep_time
from pipeline.track import track
from pipeline.tracking.settings import TrackerSettings
from pipeline.types import Detections, Frame, PassReason, Result, Tracks
from tests.kinds import MakeDetections, MakeFrame

Make = Callable[..., Result]
SETTINGS = TrackerSettings(sure_score=0.5)


@pytest.fixture
def make(make_frame: MakeFrame, make_detections: MakeDetections) -> Make:
    def make(
        source_id: str,
        index: int,
        left: float = 10,
        score: float = 0.9,
        passed: PassReason | None = None,
        pts_s: float | None = -1,
    ) -> Result:
        at_s = index / 25
        frame = make_frame(
            source_id, index, size=(90, 160), captured_s=at_s, pts_s=at_s if pts_s == -1 else pts_s
        )
        found = make_detections((left, 10, left + 20, 60, score))
        return Result(frame, found, lambda frame, *_: frame.picture, passed=passed)

    return make


def followed(results: Iterable[Result], settings: TrackerSettings) -> Iterator[Result]:
    return track(keep_time(results), settings)


def ids(results: Iterable[Result]) -> list[tuple[str, list[int]]]:
    return [
        (result.frame.source_id, [i for i in result.tracks.ids.tolist() if i])
        for result in results
        if result.tracks is not None
    ]


def test_sources_are_followed_by_themselves(make: Make) -> None:
    results = [make(source, index) for index in range(3) for source in "ab"]
    found = list(followed(results, SETTINGS))
    assert [result.frame for result in found] == [result.frame for result in results]
    assert ids(found) == [("a", []), ("b", []), *[("a", [1]), ("b", [1])] * 2]


def test_interleaving_changes_nothing(make: Make) -> None:
    alone = list(followed([make("a", index, 10 + index) for index in range(9)], SETTINGS))
    among = followed(
        [make(s, index, 10 + index * len(s)) for index in range(9) for s in ("bb", "a", "ccc")],
        SETTINGS,
    )
    for one, other in zip(alone, [r for r in among if r.frame.source_id == "a"], strict=True):
        assert one.tracks is not None
        assert other.tracks is not None
        np.testing.assert_array_equal(one.tracks.ids, other.tracks.ids)
        np.testing.assert_array_equal(one.tracks.boxes, other.tracks.boxes)


def test_only_sure_detections_are_reported(make: Make) -> None:
    results = [make("a", 0), make("a", 1), make("a", 2, score=0.2), make("a", 3, passed="rate")]
    found = list(followed([*results, make("a", 4, score=0.2, passed="busy")], SETTINGS))
    assert [len(result.detections) for result in found] == [1, 1, 0, 1, 0]
    assert found[1].detections.track_ids is not None
    assert found[1].detections.track_ids.tolist() == [1]
    assert [shown for _, shown in ids(found)] == [[], [1], [1], [1], [1]]


def test_in_frames_that_passed_by_objects_move_on_but_not_in_still_ones(make: Make) -> None:
    results = [make("a", index, 10 + index) for index in range(40)]
    for passed, expected in (("rate", 53), ("busy", 53), ("still", 49)):
        late = [make("a", index, 49, passed=passed) for index in range(40, 44)]  # type: ignore[arg-type]
        *_, last = followed([*results, *late], SETTINGS)
        assert last.tracks is not None
        assert last.tracks.boxes[0, 0] == pytest.approx(expected, abs=0.7), passed


def test_time_without_timestamps_is_that_of_capture(make: Make) -> None:
    with_pts = list(followed([make("a", i, 10 + i) for i in range(9)], SETTINGS))
    without = list(followed([make("a", i, 10 + i, pts_s=None) for i in range(9)], SETTINGS))
    for one, other in zip(with_pts, without, strict=True):
        assert one.tracks is not None
        assert other.tracks is not None
        np.testing.assert_allclose(one.tracks.boxes, other.tracks.boxes)


def test_tracks_are_what_is_drawn(make_frame: MakeFrame, make_detections: MakeDetections) -> None:
    drawn: list[Detections | Tracks] = []

    def draw(frame: Frame, objects: Detections | Tracks, _: object) -> Picture:
        drawn.append(objects)
        return frame.picture

    results = [
        Result(make_frame("a", index, pts_s=index / 25), make_detections((1, 1, 9, 9, 0.9)), draw)
        for index in range(2)
    ]
    for result in followed(results, SETTINGS):
        result.annotated()
    assert [type(objects) for objects in drawn] == [Tracks, Tracks]
    assert [objects.ids.tolist() for objects in drawn if isinstance(objects, Tracks)] == [[0], [1]]
