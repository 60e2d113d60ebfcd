"""Outlets: nobody waits for a slow sink but who reads a file; what a sink misses is counted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from pipeline.channel import Aborted
from pipeline.events import CameraEvent
from pipeline.outlet import EVENT_CAPACITY, REMIND_S, RESULT_CAPACITY, Outlet, Outlets, unless_left
from pipeline.types import Result
from tests.clock import NOON, FakeClock
from tests.kinds import MakeDetections, MakeFrame
from tests.pipeline.doubles import PATIENCE_S, Collector

Item = tuple[str, int]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def outlet(clock: FakeClock) -> Outlet[Item]:
    """Holds three items of each source: of a camera, "live", and a film."""
    outlet: Outlet[Item] = Outlet("record", 3, clock, lambda item: item[0])
    outlet.open("live", True)
    outlet.open("film", False)
    return outlet


def fill(outlet: Outlet[Item], source_id: str, count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        outlet.put((source_id, number))


def numbers(outlet: Outlet[Item], source_id: str) -> list[int]:
    outlet.close()
    return [number for source, number in outlet if source == source_id]


def test_row_30_a_live_source_loses_its_oldest_and_each_is_counted(outlet: Outlet[Item]) -> None:
    fill(outlet, "live", 10)
    assert outlet.dropped == {"overflow": 7}
    assert outlet.waiting == 3
    assert numbers(outlet, "live") == [7, 8, 9]


def test_of_a_file_nothing_is_dropped_even_beyond_what_should_wait(outlet: Outlet[Item]) -> None:
    fill(outlet, "film", 10)
    assert outlet.dropped == {}
    assert numbers(outlet, "film") == list(range(10))


def test_row_30_a_film_that_waits_costs_no_camera_its_place(outlet: Outlet[Item]) -> None:
    fill(outlet, "live", 3)
    fill(outlet, "film", 50)
    assert outlet.dropped == {}
    outlet.close()
    taken = list(outlet)
    assert [item for item in taken[:6] if item[0] == "live"] == [("live", n) for n in range(3)]


@pytest.fixture
def in_thread() -> Iterator[Callable[[Callable[[], object]], threading.Event]]:
    """Call something in a thread; the event tells that it has returned."""
    threads: list[threading.Thread] = []

    def begin(call: Callable[[], object]) -> threading.Event:
        done = threading.Event()
        threads.append(threading.Thread(target=lambda: (call(), done.set())))
        threads[-1].start()
        return done

    yield begin
    for thread in threads:
        thread.join(PATIENCE_S)


def test_who_reads_a_film_waits_until_the_sink_has_taken_some(
    outlet: Outlet[Item], in_thread: Callable[[Callable[[], object]], threading.Event]
) -> None:
    stop = threading.Event()
    outlet.wait_for_room("film", stop)  # there is some
    fill(outlet, "film", 3)
    waited = in_thread(lambda: outlet.wait_for_room("film", stop))
    outlet.wait_for_room("live", stop)  # never waits
    assert not waited.is_set()
    assert next(iter(outlet)) == ("film", 0)
    assert waited.wait(PATIENCE_S)


def test_who_is_stopped_waits_no_longer(
    outlet: Outlet[Item], in_thread: Callable[[Callable[[], object]], threading.Event]
) -> None:
    stop = threading.Event()
    fill(outlet, "film", 3)
    waited = in_thread(lambda: outlet.wait_for_room("film", stop))
    outlet.channel.wake()
    assert not waited.is_set()
    stop.set()
    outlet.channel.wake()
    assert waited.wait(PATIENCE_S)


def test_an_abort_lets_go_of_who_waits_and_counts_what_waited(
    outlet: Outlet[Item], in_thread: Callable[[Callable[[], object]], threading.Event]
) -> None:
    fill(outlet, "film", 3)
    waited = in_thread(lambda: outlet.wait_for_room("film", threading.Event()))
    outlet.channel.abort()
    assert waited.wait(PATIENCE_S)
    assert outlet.dropped == {"aborted": 3}
    with pytest.raises(Aborted):
        outlet.put(("film", 4))


def test_a_sink_that_is_given_up_takes_nothing_more_and_harms_no_other(
    outlet: Outlet[Item],
) -> None:
    fill(outlet, "film", 3)
    outlet.give_up()
    fill(outlet, "live", 2)
    assert outlet.dropped == {"aborted": 5}
    with pytest.raises(Aborted):
        next(iter(outlet))


def test_the_log_tells_at_once_and_then_once_a_minute(
    outlet: Outlet[Item], clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    fill(outlet, "live", 3)
    assert caplog.messages == []
    fill(outlet, "live", 5)
    assert caplog.messages == ["record: too slow, its oldest are dropped: 1 so far"]
    clock.advance(REMIND_S)
    fill(outlet, "live", 5)
    assert caplog.messages[1:] == ["record: too slow, its oldest are dropped: 6 so far"]


def test_a_source_that_comes_again_goes_on_where_it_was(outlet: Outlet[Item]) -> None:
    fill(outlet, "film", 2)
    outlet.open("film", False)
    fill(outlet, "film", 1, first=2)
    outlet.open("film", True)  # under the same name, but a camera now
    fill(outlet, "film", 4, first=3)
    assert outlet.dropped == {"overflow": 1}
    assert sorted(numbers(outlet, "film")) == [0, 1, 2, 4, 5, 6]


def test_events_come_in_the_order_of_their_numbers_whatever_their_source(
    clock: FakeClock,
) -> None:
    outlets = Outlets([], {"events": Collector()}, [], clock, 8)
    for name in ("a", "b", "c"):
        outlets.open(name, True)
    events = outlets.events["events"]
    for seq, name in enumerate("abcbbaacccab", 1):
        events.put(CameraEvent("camera_online", name, NOON, "", None, seq=seq))
    events.close()
    assert [event.seq for event in events] == list(range(1, 13))


def test_a_burst_of_all_that_waited_for_the_detector_finds_room(
    clock: FakeClock, make_frame: MakeFrame, make_detections: MakeDetections
) -> None:
    outlet = Outlets(["record"], {}, [], clock, burst=64).results["record"]
    outlet.open("cam", True)
    for index in range(RESULT_CAPACITY + 64 + 1):
        assert outlet.dropped == {}
        frame = make_frame(index=index)
        outlet.put(Result(frame, make_detections(), lambda frame, *_: frame.picture))
    assert outlet.dropped == {"overflow": 1}


def test_sinks_of_both_kinds_have_their_own_bounds(clock: FakeClock) -> None:
    outlets = Outlets(["record"], {"events": Collector()}, [], clock, 8)
    outlets.open("cam", True)
    for seq in range(EVENT_CAPACITY + 5):
        outlets.events["events"].put(CameraEvent("camera_online", "cam", NOON, "", None, seq=seq))
    assert outlets.events["events"].dropped == {"overflow": 5}
    assert RESULT_CAPACITY < EVENT_CAPACITY
    outlets.give_up()
    assert outlets.events["events"].dropped == {"overflow": 5, "aborted": EVENT_CAPACITY}
    assert outlets.results["record"].dropped == {}, "it was not behind, and goes on"


class Prompt(Collector):
    never_waits = True


def test_a_sink_that_never_waits_is_given_every_event(clock: FakeClock) -> None:
    outlets = Outlets([], {"broker": Prompt()}, [], clock, 8)
    outlets.open("cam", True)
    for seq in range(EVENT_CAPACITY + 5):
        outlets.events["broker"].put(CameraEvent("camera_online", "cam", NOON, "", None, seq=seq))
    outlets.wait_for_room("cam", threading.Event())  # a camera never waits
    assert outlets.events["broker"].dropped == {}
    assert outlets.events["broker"].waiting == EVENT_CAPACITY + 5


class Door(Collector):
    left = 0

    def __exit__(self, *_: object) -> None:
        self.left += 1


def test_a_sink_that_hangs_is_not_finished(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    well, hangs = Door(), Door()
    with unless_left("well", well, {"hangs"}), unless_left("hangs", hangs, {"hangs"}):
        pass
    assert (well.left, hangs.left) == (1, 0)
    with pytest.raises(KeyError), unless_left("well", well, {"hangs"}):
        raise KeyError
    assert well.left == 2
