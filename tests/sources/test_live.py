"""A camera that is watched for ever: states, delays and counts, whatever becomes of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from pipeline import backoff
from pipeline.types import Frame, Skipped, Status
from sources.fault import Fault
from sources.live import Item
from sources.packets import EndOfStream
from tests.clock import NOON
from tests.sources.scripted import GREY, PICTURE, Camera, Step, pictures


@pytest.fixture(autouse=True)
def even_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "JITTER", 0.0)


def statuses(items: Sequence[Item]) -> list[tuple[str, str, float]]:
    """(state, reason, seconds since the beginning) of each change of status."""
    changes = [item for item in items if isinstance(item, Status)]
    for change in changes:
        assert (change.since - NOON).total_seconds() == pytest.approx(change.since_s - 1000)
    return [(change.state, change.reason, round(change.since_s - 1000, 3)) for change in changes]


def frames(items: Sequence[Item]) -> list[Frame]:
    return [item for item in items if isinstance(item, Frame)]


# States.


def test_a_camera_is_online_once_a_picture_came() -> None:
    camera = Camera([2.0, Skipped("no_keyframe"), 1.0, PICTURE, 0.2, PICTURE])
    items = camera.source.read(camera.stop)
    kinds = [type(next(items)).__name__ for _ in range(5)]
    assert kinds == ["Status", "Skipped", "Status", "Frame", "Frame"]
    items.close()
    camera = Camera([2.0, Skipped("no_keyframe"), 1.0, PICTURE, Fault("gone")])
    assert statuses(camera.watch())[:2] == [("connecting", "", 0), ("online", "", 3)]


def test_a_frame_bears_the_marks_of_its_arrival() -> None:
    (frame,) = frames(Camera([1.5, PICTURE, Fault("gone")]).watch())
    assert (frame.source_id, frame.index, frame.pts_s) == ("cam", 0, 0.0)
    assert frame.captured_s == frame.decoded_s == pytest.approx(1001.5)
    assert (frame.wall_time - NOON).total_seconds() == pytest.approx(1.5)
    assert frame.picture is GREY


def test_a_lost_camera_is_tried_again_until_it_is_back() -> None:
    camera = Camera(
        [PICTURE, 3.0, Fault("the stream ended")],
        Fault("connection refused"),
        Fault("connection refused"),
        Fault("connection refused"),
        [1.0, PICTURE, Fault("gone")],
    )
    items = camera.watch()
    assert camera.attempts_s == [0, 4, 5, 6, 7]
    # An outage began with its first fault, and each reason is told once.
    assert statuses(items) == [
        ("connecting", "", 0),
        ("online", "", 0),
        ("offline", "the stream ended", 3),
        ("offline", "connection refused", 3),
        ("online", "", 8),
        ("offline", "gone", 8),
    ]
    assert [frame.index for frame in frames(items)] == [0, 1]
    assert [frame.pts_s for frame in frames(items)] == pytest.approx([0, 8])


def test_a_camera_that_is_never_there_has_an_outage_from_its_first_fault() -> None:
    camera = Camera([2.0, Fault("a")], Fault("b"), Fault("b"), Fault("a"))
    assert statuses(camera.watch()) == [
        ("connecting", "", 0),
        ("offline", "a", 2),
        ("offline", "b", 2),
        ("offline", "a", 2),
    ]


def test_a_stall_that_becomes_an_outage_is_one_outage() -> None:
    camera = Camera([*pictures(10)], Fault("connection refused"), [PICTURE, Fault("gone")])
    items = camera.watch()
    (_, _, stalled, offline, online, _) = statuses(items)
    assert stalled[:2] == ("stalled", "no picture for 4.1 s")
    assert offline == ("offline", "connection refused", stalled[2])
    assert online == ("online", "", stalled[2] + 2)


def test_the_same_fault_after_another_picture_is_another_outage() -> None:
    camera = Camera([PICTURE, Fault("gone")], [PICTURE, Fault("gone")])
    assert [state for state, *_ in statuses(camera.watch())] == [
        "connecting",
        *("online", "offline"),
        *("online", "offline"),
    ]


@pytest.mark.parametrize(
    ("steps", "stall_s", "reason", "at_s"),
    [
        ([], None, "no answer for 10 s", 10),
        ([], 2.0, "no answer for 10 s", 10),
        ([PICTURE], None, "no picture for 6", 6),
        ([PICTURE], 2.0, "no picture for 2", 2),
        ([Skipped("no_keyframe"), 1.0] * 30, None, "its data make no picture", 20),
    ],
)
def test_a_silent_camera_is_given_up(
    steps: list[Step], stall_s: float | None, reason: str, at_s: float
) -> None:
    camera = Camera(steps, stall_s=stall_s)
    *_, (state, why, since_s) = statuses(camera.watch())
    assert why.startswith(reason)
    assert since_s == pytest.approx(at_s, abs=0.11)
    assert state == ("offline" if "answer" in reason else "stalled")
    assert camera.open == 0


# Delays.


def test_what_the_camera_refuses_by_name_is_tried_again_later() -> None:
    camera = Camera(Fault("refuses the user (401)", retry_s=60), Fault("gone"), Fault("gone"))
    camera.watch()
    assert camera.attempts_s == [0, 60, 61]


def test_delays_grow_while_a_camera_is_away() -> None:
    camera = Camera(*[Fault("gone")] * 200)
    camera.watch()
    delays_s = np.diff(camera.attempts_s)
    assert delays_s[:60] == pytest.approx(1)
    assert (np.diff(delays_s[60:]) >= -0.01).all()
    assert delays_s[-1] > 8


@pytest.mark.parametrize(("steady_s", "reset"), [(9.8, False), (10.2, True)])
def test_a_camera_has_recovered_after_ten_steady_seconds(steady_s: float, reset: bool) -> None:
    outage = [Fault("gone")] * 150
    camera = Camera(*outage, [*pictures(steady_s), Fault("gone")], Fault("gone"))
    camera.watch()
    before_s = camera.attempts_s[-2] - camera.attempts_s[-3]
    after_s = camera.attempts_s[-1] - camera.attempts_s[-2] - steady_s
    assert before_s > 4
    assert after_s == pytest.approx(1) if reset else after_s > before_s


def test_a_camera_that_crashes_again_and_again_is_tried_ever_less_often() -> None:
    camera = Camera(*[[PICTURE, 5.0, Fault("the stream ended")]] * 100)
    camera.watch()
    gaps_s = np.diff(camera.attempts_s)
    assert gaps_s[0] == pytest.approx(6)
    assert gaps_s[-1] > 5 + 9


# Counts.


def test_the_index_counts_what_was_lost_too() -> None:
    camera = Camera(
        [PICTURE, Skipped("corrupt"), PICTURE, Skipped("late", 7), PICTURE, Fault("gone")],
        [Skipped("no_keyframe"), PICTURE, Fault("gone")],
    )
    items = camera.watch()
    assert [frame.index for frame in frames(items)] == [0, 2, 10, 12]
    assert [(item.reason, item.count) for item in items if isinstance(item, Skipped)] == [
        ("corrupt", 1),
        ("late", 7),
        ("no_keyframe", 1),
    ]


def test_a_camera_that_is_read_again_goes_on_counting() -> None:
    camera = Camera([PICTURE, PICTURE, Fault("gone")])
    before = camera.watch()
    camera.stop.clear()
    camera.attempts = [[PICTURE, Fault("gone")]]
    after = camera.watch()
    assert [frame.index for frame in frames([*before, *after])] == [0, 1, 2]
    assert frames(after)[0].pts_s > frames(before)[-1].pts_s
    assert [state for state, *_ in statuses(after)] == ["connecting", "online", "offline"]


# Ends.


def test_a_stream_that_is_over_is_not_tried_again() -> None:
    camera = Camera([PICTURE, PICTURE, EndOfStream()], [PICTURE])
    items = camera.watch()
    assert len(frames(items)) == 2
    assert [state for state, *_ in statuses(items)] == ["connecting", "online"]
    assert (camera.open, camera.stop.is_set(), len(camera.attempts)) == (0, False, 1)


def test_stop_while_it_connects() -> None:
    camera = Camera()
    camera.attempts = [[2.0, camera.stop.set, PICTURE]]
    assert statuses(camera.watch()) == [("connecting", "", 0)]
    assert (camera.now_s, camera.open) == (2, 0)


def test_stop_while_it_delivers() -> None:
    camera = Camera()
    camera.attempts = [[PICTURE, camera.stop.set, PICTURE], [PICTURE]]
    assert len(frames(camera.watch())) == 1
    assert (camera.open, len(camera.attempts)) == (0, 1)


def test_stop_while_it_waits_to_try_again() -> None:
    camera = Camera(Fault("gone", retry_s=60), [PICTURE])
    items = camera.source.read(camera.stop)
    while next(items) and camera.attempts_s == []:
        pass
    camera.stop.set()
    assert list(items) == []
    assert len(camera.attempts) == 1


def test_stop_before_it_begins() -> None:
    camera = Camera([PICTURE])
    camera.stop.set()
    assert statuses(camera.watch()) == [("connecting", "", 0)]
    assert camera.attempts_s == []


@pytest.mark.parametrize("last", [Status, Frame, Skipped])
def test_closing_closes_the_connection(last: type[Item]) -> None:
    camera = Camera([PICTURE, Skipped("corrupt"), PICTURE])
    items = camera.source.read(camera.stop)
    assert next(items).state == "connecting"
    while not isinstance(next(items), last):
        pass
    assert camera.open == 1
    items.close()
    assert camera.open == 0


def test_an_unexpected_error_closes_the_connection() -> None:
    camera = Camera([PICTURE, KeyError("a fault of ours")])
    with pytest.raises(KeyError):
        camera.watch()
    assert camera.open == 0


def test_a_real_event_ends_the_wait_at_once() -> None:
    stop = threading.Event()
    camera = Camera(Fault("gone", retry_s=3600))
    items = camera.source.read(stop)
    next(items), next(items)
    threading.Timer(0, stop.set).start()
    assert list(items) == []
