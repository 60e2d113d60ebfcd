"""What always holds, whatever objects do and however frames come."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.analysis import Analysis
from pipeline.annotate import annotate
from pipeline.clock import SystemClock
from pipeline.events import CameraEvent, Event, LineEvent, ObjectEvent, ZoneEvent
from pipeline.graph import Pipeline
from pipeline.rules.objects import ObjectSettings
from pipeline.rules.rule import SourceRules
from pipeline.stored_detections import read_detections
from pipeline.tracking.settings import TrackerSettings
from pipeline.types import Detections, Frame, Result
from sinks.jsonlines import detection_records
from tests.clock import NOON
from tests.pipeline.doubles import PATIENCE_S, Collector
from tests.rules.walks import Walk, black, line, square
from tests.tracking.scenes import SIZE, Scene

FEET = st.tuples(st.integers(0, 200), st.integers(0, 100))
STEPS = st.lists(
    st.tuples(
        st.dictionaries(st.integers(1, 4), FEET),
        st.sets(st.integers(1, 4)),
        st.sampled_from([None, None, "still", "rate"]),
    ),
    max_size=40,
)


def play(walk: Walk, steps) -> None:
    """Move objects; an id that has ended never comes again."""
    ids = {number: number for number in range(1, 5)}
    known: set[int] = set()
    for feet, ended, passed in steps:
        if passed is not None:
            assert (
                walk.step({ids[number]: foot for number, foot in feet.items()}, passed=passed) == []
            )
            continue
        gone = [ids[number] for number in ended if ids[number] in known and number not in feet]
        walk.step({ids[number]: foot for number, foot in feet.items()}, ended=gone)
        known |= {ids[number] for number in feet}
        known -= set(gone)
        for number in ended:
            ids[number] += 10 if ids[number] in gone else 0
    walk.end()


@settings(max_examples=200, deadline=None)
@given(STEPS, st.sampled_from([0.0, 0.03]), st.sampled_from([0.0, 3.0]), st.integers(1, 3))
def test_whatever_happens_the_accounts_are_right(steps, hysteresis, cooldown_s, appear) -> None:
    everywhere = line((100, 0), (100, 100), hysteresis=hysteresis)
    yard = square(hysteresis=hysteresis, cooldown_s=cooldown_s, crowd=2, crowd_s=1, loitering_s=2)
    walk = Walk(yard, everywhere, settings=ObjectSettings(appear_frames=appear))
    play(walk, steps)
    lives_of: defaultdict[str, list[str]] = defaultdict(list)
    balance = Counter[int]()
    for event in walk.events:
        match event:
            case ObjectEvent():
                lives_of[event.object.object_id].append(event.kind)
            case ZoneEvent():
                assert event.occupancy == event.entered - event.left >= 0
                assert event.object is None or lives_of[event.object.object_id]
            case LineEvent():
                balance[event.object.track_id] += 1 if event.direction == "in" else -1
                assert abs(balance[event.object.track_id]) <= 1, "it cannot cross twice in a row"
    for kinds in lives_of.values():
        assert kinds[0] == "object_new"
        assert kinds[-1] == "object_end"
        assert set(kinds[1:-1]) <= {"object_update"}
    if not cooldown_s:
        told = Counter(event.kind for event in walk.events)
        assert told["zone_entered"] == told["zone_left"]
        assert told["zone_crowded"] >= told["zone_cleared"]


def results(source_id: str, seed: int) -> list[Result]:
    """A generated scene, as the detector's results."""
    found = []
    for index, scene in enumerate(Scene(objects=8, seconds=8, seed=seed).frames()):
        frame = Frame(source_id, index, scene.time_s, scene.time_s, NOON, black(SIZE))
        found.append(Result(frame, scene.detections, annotate))
    return found


def analysis() -> Analysis:
    whole = np.array([[0, 0.3], [1, 0.3], [1, 1], [0, 1]], np.float32)
    rules = SourceRules((replace(square(), polygon=whole),), (line((100, 0), (100, 100)),))
    return Analysis(TrackerSettings(), lambda _: rules)


def told(analysed: Analysis, shown: Sequence[Result]) -> dict[str, list[Event]]:
    """The events of each source."""
    events = [event for result in analysed.follow(shown) for event in result.events]
    by_source: dict[str, list[Event]] = defaultdict(list)
    for event in [*events, *analysed.end_all()]:
        by_source[event.source_id].append(_without_pictures(event))
    return by_source


def _without_pictures(event: Event) -> Event:
    """Pictures are equal only to themselves."""
    assert not isinstance(event, type(None))
    state = getattr(event, "object", None)
    changes = {} if state is None else {"object": replace(state, snapshot=None)}
    before = getattr(event, "before", None)
    if before is not None:
        changes["before"] = replace(before, snapshot=None)
    return replace(event, **changes)


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_how_frames_of_cameras_are_interleaved_changes_nothing(random) -> None:
    films = {source_id: results(source_id, seed) for seed, source_id in enumerate("abc")}
    alone = {source_id: told(analysis(), film)[source_id] for source_id, film in films.items()}
    assert any(isinstance(event, LineEvent) for event in alone["a"])
    order = [source_id for source_id, film in films.items() for _ in film]
    random.shuffle(order)
    feeds = {source_id: iter(film) for source_id, film in films.items()}
    mixed = told(analysis(), [next(feeds[source_id]) for source_id in order])
    assert mixed == alone


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from([None, None, "rate", "still", "busy"]), min_size=40, max_size=40),
    st.sampled_from([1.0, 100.0, 500.0]),
)
def test_a_replay_of_what_was_inferred_makes_the_same_events(passed, slower) -> None:
    film = []
    for index, result in enumerate(results("a", 3)[:120]):
        time_s = result.frame.time_s * (slower if 40 < index < 60 else 1)  # and back, at last
        found = result.detections
        rounded = replace(  # as they are stored
            found,
            boxes=found.boxes.astype(np.float64).round(2).astype(np.float32),
            scores=(found.scores.astype(np.float64).round(4)).astype(np.float32),
        )
        frame = replace(result.frame, pts_s=time_s)
        film.append(replace(result, frame=frame, detections=rounded, passed=passed[index % 40]))
    live = list(analysis().follow(film))
    records = [record for result in live for record in detection_records(result)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "detections.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        stored = list(read_detections(path, lambda _: None))
    assert len(stored) == len(records)
    assert _in_short(analysis(), stored) == _in_short(analysis(), film)


def _in_short(analysed: Analysis, film: Sequence[Result]) -> list[tuple[object, ...]]:
    """What happened when, and for how long objects had been there."""
    return [
        (
            *(event.kind, event.at.index, getattr(event, "reason", None)),
            *(event.object.track_id, event.object.duration_s, event.object.dwell_s),
        )
        for event in told(analysed, film)["a"]
        if not isinstance(event, CameraEvent) and event.object is not None
    ]


def test_a_source_that_ends_is_forgotten_and_may_come_again() -> None:
    film, analysed = results("a", 1)[:50], analysis()
    first = list(analysed.follow(film))
    assert [event.kind for result in first for event in result.events]
    ends = analysed.end("a")
    assert {event.kind for event in ends} >= {"object_end"}
    assert analysed.end("a") == analysed.end_all() == []


def test_detections_in_an_ignore_mask_start_nothing() -> None:
    from pipeline.rules.rule import IgnoreMask

    half = np.array([[0, 0], [0.5, 0], [0.5, 1], [0, 1]], np.float32)
    film = results("a", 1)

    def seen(*masks: IgnoreMask) -> list[Detections]:
        analysed = Analysis(TrackerSettings(), lambda _: SourceRules(ignore=masks))
        return [result.detections for result in analysed.follow(film)]

    free, masked = seen(), seen(IgnoreMask(half))
    middle = [(box[0] + box[2]) / 2 for found in masked for box in found.boxes]
    assert middle
    assert min(middle) > SIZE[1] / 2
    assert sum(map(len, free)) > sum(map(len, masked)) > 0
    cars = seen(IgnoreMask(half, frozenset({"car"})))
    assert sum(map(len, free)) > sum(map(len, cars)) > sum(map(len, masked))


class _Known:
    """A detector that knows what is in each frame."""

    def __init__(self, films: Sequence[Result]) -> None:
        self._found = {(film.frame.source_id, film.frame.index): film.detections for film in films}

    def detect(self, frames: Sequence[Frame]) -> list[Detections]:
        return [self._found[frame.source_id, frame.index] for frame in frames]


class _Film:
    """A source of known frames."""

    live = False

    def __init__(self, film: Sequence[Result]) -> None:
        self._frames = [result.frame for result in film]
        self.source_id, self.frame_count = self._frames[0].source_id, len(self._frames)

    def read(self, _stop: threading.Event) -> Generator[Frame, None, None]:
        yield from self._frames


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_how_frames_are_batched_changes_nothing(batch_size: int) -> None:
    films = [results(source_id, seed) for seed, source_id in enumerate("ab")]
    events = Collector()
    every = [result for film in films for result in film]
    with Pipeline(
        [_Film(film) for film in films],
        _Known(every),
        {},
        {"events": events},
        clock=SystemClock(),
        batch_size=batch_size,
        batch_wait_s=0.001,
        lane_capacity=4,
        analysis=analysis(),
    ) as pipeline:
        assert pipeline.wait(PATIENCE_S)
    expected = told(analysis(), every)
    for source_id in "ab":
        published = [event for event in events.items if event.source_id == source_id]
        unnumbered = [replace(_without_pictures(event), seq=0, run="") for event in published]
        assert unnumbered == expected[source_id]
