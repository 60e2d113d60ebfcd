from __future__ import annotations

import signal

import pytest

from pipeline.clock import SystemClock
from pipeline.interrupts import DRAIN_S, Interrupts


class StoppedClock(SystemClock):
    """A clock that stands until it is told."""

    time_s = 0.0

    def monotonic(self) -> float:
        return self.time_s


class Recorder:
    """Stands for a runner: notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def stop(self) -> None:
        self.told.append("stop")

    def abort(self) -> None:
        self.told.append("abort")


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


def test_without_a_signal_nothing_happens(clock: StoppedClock) -> None:
    runner = Recorder()
    with Interrupts(clock) as interrupts:
        interrupts.obey(runner)
    assert runner.told == []
    assert interrupts.exit_code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_stops(clock: StoppedClock, number: signal.Signals, code: int) -> None:
    runner = Recorder()
    with Interrupts(clock) as interrupts:
        signal.raise_signal(number)
        interrupts.obey(runner)
    assert runner.told == ["stop"]
    assert interrupts.exit_code == code


def test_the_second_signal_aborts_and_the_first_gives_the_exit_code(clock: StoppedClock) -> None:
    runner = Recorder()
    with Interrupts(clock) as interrupts:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        interrupts.obey(runner)
    assert runner.told == ["stop", "abort"]
    assert interrupts.exit_code == 143


def test_a_drain_that_takes_too_long_is_aborted(clock: StoppedClock) -> None:
    runner = Recorder()
    with Interrupts(clock) as interrupts:
        signal.raise_signal(signal.SIGINT)
        clock.time_s = DRAIN_S + 0.1
        interrupts.obey(runner)
    assert runner.told == ["stop", "abort"]


def test_the_handlers_found_are_put_back(clock: StoppedClock) -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupts(clock):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_after_two_signals_a_third_is_not_caught(clock: StoppedClock) -> None:
    with Interrupts(clock):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
