from __future__ import annotations

import pytest

from pipeline.events import Event
from pipeline.presence import presence
from pipeline.types import Result
from tests.kinds import MakeDetections, MakeFrame


@pytest.fixture
def watch(make_frame: MakeFrame, make_detections: MakeDetections):
    """Events of a scene, a string a source: a letter a frame, '.' nothing, 'p' a person ..."""

    def result(source_id: str, index: int, seen: str) -> Result:
        scores = {".": [], "p": [0.6], "P": [0.9], "2": [0.8, 0.6], "c": [0.7]}
        found = [(0, 0, 9, 9, score) for score in scores[seen]]
        detections = make_detections(*found, labels=[int(seen == "c")] * len(found))
        frame = make_frame(source_id, index, pts_s=index / 10)
        return Result(frame, detections, lambda frame, _: frame.picture)

    def run(**scenes: str) -> list[Event]:
        length = max(map(len, scenes.values()))
        results = [
            result(source_id, index, scene[index])
            for index in range(length)
            for source_id, scene in scenes.items()
            if index < len(scene)
        ]
        watched = list(presence(results, appear_frames=2, disappear_frames=3))
        assert [r.frame for r in watched] == [r.frame for r in results]
        return [event for r in watched for event in r.events]

    return run


def kinds(events: list[Event]) -> list[tuple[str, str, int]]:
    return [(event.kind, event.label, event.index) for event in events]


def test_nothing_happens_in_an_empty_scene(watch) -> None:
    assert watch(cam="......") == []


def test_a_person_appears_and_disappears_after_the_patience(watch) -> None:
    events = watch(cam="..pPp.....")
    assert kinds(events) == [("appeared", "person", 3), ("disappeared", "person", 7)]
    appeared, disappeared = events
    assert (appeared.since_index, disappeared.since_index) == (2, 5)
    assert (appeared.count, disappeared.count) == (1, 0)
    assert appeared.score == pytest.approx(0.9)
    assert disappeared.score == pytest.approx(0.9)
    assert appeared.pts_s == pytest.approx(0.3)


def test_objects_of_a_class_are_counted(watch) -> None:
    (event,) = watch(cam="p2")
    assert (event.count, event.score) == (2, pytest.approx(0.8))


def test_single_inventions_and_misses_make_no_events(watch) -> None:
    assert watch(cam="p..p..p") == []
    assert kinds(watch(cam="ppp.pp..pp")) == [("appeared", "person", 1)]


def test_the_best_score_is_of_this_appearance_alone(watch) -> None:
    events = watch(cam="PP...pp...")
    assert [event.score for event in events] == pytest.approx([0.9, 0.9, 0.6, 0.6])


def test_classes_are_watched_apart(watch) -> None:
    assert kinds(watch(cam="ppcc.")) == [
        ("appeared", "person", 1),
        ("appeared", "car", 3),
        ("disappeared", "person", 4),
    ]


def test_sources_are_watched_apart(watch) -> None:
    events = watch(a="pp...", b=".pp...")
    assert [(e.source_id, e.kind) for e in events] == [
        ("a", "appeared"),
        ("b", "appeared"),
        ("a", "disappeared"),
        ("b", "disappeared"),
    ]


def test_how_sources_are_interleaved_does_not_matter(watch) -> None:
    alone = watch(a="pp..cc...pp") + watch(b="..ppp....")
    together = watch(a="pp..cc...pp", b="..ppp....")
    assert sorted(kinds(alone)) == sorted(kinds(together))


def test_frames_that_were_not_inferred_do_not_count(
    make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    found = make_detections((0, 0, 9, 9, 0.9))
    results = [
        Result(
            make_frame("cam", index),
            found,
            lambda f, _: f.picture,
            passed="rate" if index % 3 else None,
        )
        for index in range(9)
    ]
    watched = list(presence(results, appear_frames=3))
    assert [r.frame.index for r in watched] == list(range(9)), "they go on all the same"
    assert [(event.index, event.since_index) for r in watched for event in r.events] == [(6, 0)]
