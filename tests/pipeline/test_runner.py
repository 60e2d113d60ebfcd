from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pipeline.channel import Channel, Lane
from pipeline.errors import PipelineError, SinkError
from pipeline.runner import Runner, Worker, pump

STAGES = ["source", "middle", "sink"]


class ThreeStages:
    """An endless source, a stage and a sink; `fail` says which of them fails at item 7."""

    def __init__(self, fail: str | None = None, items: int | None = None) -> None:
        self.fail, self.items = fail, items
        self.got: list[int] = []
        first: Channel[int] = Channel("first")
        second: Channel[int] = Channel("second")
        into_first, into_second = first.open_lane(2), second.open_lane(2)
        self.runner = Runner(
            [
                Worker("source", lambda: pump(self.checked("source", self.count()), [into_first])),
                Worker("middle", lambda: pump(self.checked("middle", first), [into_second])),
                Worker("sink", lambda: self.collect(second)),
            ],
            [first, second],
        )

    def count(self) -> Iterator[int]:
        number = 0
        while not self.runner.stopping.is_set() and number != self.items:
            yield number
            number += 1

    def checked(self, stage: str, items: Iterator[int] | Channel[int]) -> Iterator[int]:
        for item in items:
            if self.fail == stage and item == 7:
                raise SinkError("disk full")
            yield item

    def collect(self, items: Channel[int]) -> None:
        for item in self.checked("sink", items):
            self.got.append(item)
            if len(self.got) == 20 and self.items is None:
                self.runner.stop()

    def run(self) -> None:
        self.runner.start()
        assert self.runner.wait(30)
        self.runner.join()


def test_everything_arrives_before_the_end() -> None:
    stages = ThreeStages(items=100)
    stages.run()
    assert stages.got == list(range(100))


@pytest.mark.parametrize("stage", STAGES)
def test_the_first_error_ends_all_threads_and_names_its_stage(stage: str) -> None:
    before = threading.active_count()
    with pytest.raises(PipelineError, match=f"stage '{stage}' failed: disk full") as caught:
        ThreeStages(fail=stage).run()
    assert isinstance(caught.value.__cause__, SinkError)
    assert threading.active_count() == before


def test_an_error_without_words_is_named_by_its_type() -> None:
    def fail() -> None:
        raise MemoryError

    runner = Runner([Worker("detect", fail)], [])
    runner.start()
    with pytest.raises(PipelineError, match="stage 'detect' failed: MemoryError"):
        runner.join()


def test_an_error_on_the_way_out_does_not_hide_the_first() -> None:
    channel: Channel[int] = Channel("c")
    lane = channel.open_lane(1)
    waits = threading.Event()

    def fail() -> None:
        assert waits.wait(30)
        raise SinkError("disk full")

    def fail_while_ending() -> None:
        try:
            waits.set()
            list(channel)
        finally:
            raise OSError("cannot close either")

    runner = Runner([Worker("first", fail), Worker("second", fail_while_ending)], [channel])
    with pytest.raises(PipelineError, match="stage 'first' failed: disk full"), runner:
        pass
    lane.close()  # open till now: only the failure could end the second


def test_stop_ends_the_source_and_works_off_the_rest() -> None:
    stages = ThreeStages()
    stages.run()
    assert stages.got == list(range(len(stages.got)))
    assert len(stages.got) >= 20


def test_abort_ends_everything_without_an_error() -> None:
    stages = ThreeStages(fail=None)
    started = threading.Event()
    original = stages.count

    def counted() -> Iterator[int]:
        for number in original():
            started.set()
            yield number

    stages.count = counted  # type: ignore[method-assign]
    stages.runner.start()
    assert started.wait(30)
    stages.runner.abort()
    assert stages.runner.stopping.is_set()
    assert stages.runner.wait(30)
    stages.runner.join()


def test_an_error_inside_the_context_ends_everything() -> None:
    before = threading.active_count()
    channel: Channel[int] = Channel("c")
    lane = channel.open_lane(1)  # never closed: only an abort ends its reader
    reader = Worker("reader", lambda: list(channel) and None)
    with pytest.raises(KeyboardInterrupt), Runner([reader], [channel]):
        raise KeyboardInterrupt
    assert threading.active_count() == before
    lane.close()


def test_a_thread_that_cannot_be_started_ends_those_that_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = threading.active_count()
    start, started = threading.Thread.start, []

    def start_two(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    stages = ThreeStages()
    monkeypatch.setattr(threading.Thread, "start", start_two)
    with pytest.raises(RuntimeError, match="can't start"):
        stages.runner.start()
    assert threading.active_count() == before


def test_wait_tells_whether_the_end_has_come() -> None:
    release = threading.Event()
    workers = [
        Worker("quick", lambda: None),
        Worker("slow", lambda: release.wait(30) and None),
    ]
    runner = Runner(workers, [])
    runner.start()
    for thread in threading.enumerate():
        if thread.name == "quick":
            thread.join()
    assert not runner.wait(0.01)
    release.set()
    assert runner.wait(30)
    runner.join()


def test_pump_closes_its_lanes_when_its_items_fail() -> None:
    channel: Channel[int] = Channel("c")
    lanes: list[Lane[int]] = [channel.open_lane(4)]

    def broken() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        pump(broken(), lanes)
    assert list(channel) == [1]
