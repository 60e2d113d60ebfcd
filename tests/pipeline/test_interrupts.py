from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from pipeline import interrupts
from pipeline.clock import SystemClock
from pipeline.errors import SinkError
from pipeline.interrupts import (
    DRAIN_S,
    FORCE_S,
    GIVE_UP_S,
    LEAVE_S,
    Interrupts,
    reminding,
    terminable,
)


class StoppedClock(SystemClock):
    """A clock that stands until it is told."""

    time_s = 0.0

    def monotonic(self) -> float:
        return self.time_s


class Recorder:
    """Stands for a pipeline: notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def stop(self) -> None:
        self.told.append("stop")

    def drop_waiting(self) -> None:
        self.told.append("drop waiting")

    def give_up_sinks(self) -> None:
        self.told.append("give up sinks")

    def leave_sinks(self) -> None:
        self.told.append("leave sinks")


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


def test_without_a_signal_nothing_happens(clock: StoppedClock) -> None:
    runner = Recorder()
    with Interrupts(clock) as noted:
        noted.obey(runner)
    assert runner.told == []
    assert noted.exit_code == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_stops(clock: StoppedClock, number: signal.Signals, code: int) -> None:
    runner = Recorder()
    with Interrupts(clock) as noted:
        signal.raise_signal(number)
        noted.obey(runner)
    assert runner.told == ["stop"]
    assert noted.exit_code == code


def test_the_second_signal_drops_what_waits_and_the_first_gives_the_exit_code(
    clock: StoppedClock,
) -> None:
    runner = Recorder()
    with Interrupts(clock) as noted:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        noted.obey(runner)
    assert runner.told == ["stop", "drop waiting"]
    assert noted.exit_code == 143


def test_a_drain_that_takes_too_long_is_cut_short(clock: StoppedClock) -> None:
    runner = Recorder()
    with Interrupts(clock) as noted:
        signal.raise_signal(signal.SIGINT)
        clock.time_s = DRAIN_S + 0.1
        noted.obey(runner)
    assert runner.told == ["stop", "drop waiting"]


@pytest.mark.parametrize(
    ("after_s", "told"),
    [
        (DRAIN_S - 0.1, []),
        (DRAIN_S + 0.1, ["drop waiting"]),
        (GIVE_UP_S + 0.1, ["drop waiting", "give up sinks"]),
        (LEAVE_S + 0.1, ["drop waiting", "give up sinks", "leave sinks"]),
    ],
)
def test_row_29_the_longer_it_takes_the_less_is_waited_for(
    clock: StoppedClock, after_s: float, told: list[str]
) -> None:
    runner = Recorder()
    with Interrupts(clock) as noted:
        signal.raise_signal(signal.SIGTERM)
        clock.time_s = after_s
        noted.obey(runner)
    assert runner.told == ["stop", *told]
    assert LEAVE_S <= 5.0


def test_row_29_a_second_signal_takes_up_the_time_until_frames_are_dropped(
    clock: StoppedClock,
) -> None:
    runner = Recorder()
    with Interrupts(clock) as noted:
        signal.raise_signal(signal.SIGINT)
        clock.time_s = 1.0
        signal.raise_signal(signal.SIGINT)
        clock.time_s = 1.0 + LEAVE_S - DRAIN_S + 0.1
        noted.obey(runner)
    assert runner.told == ["stop", "drop waiting", "give up sinks", "leave sinks"]


def test_after_a_signal_its_exit_code_counts_and_losses_are_logged(
    clock: StoppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    with Interrupts(clock) as noted:
        with pytest.raises(SinkError), noted.come_first():
            raise SinkError("3 lines were lost")
        signal.raise_signal(signal.SIGTERM)
        with noted.come_first():
            raise SinkError("4 lines were lost")
    assert caplog.messages == ["4 lines were lost"]


def test_the_handlers_found_are_put_back(clock: StoppedClock) -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interrupts(clock):
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


class Forced(Exception):
    """Stands for the end of the process."""


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(code: int) -> None:
        raise Forced(code)

    monkeypatch.setattr(interrupts, "force_exit", end)


@pytest.mark.usefixtures("forced")
def test_a_third_signal_ends_the_process_wherever_it_is(clock: StoppedClock) -> None:
    with Interrupts(clock):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Forced, match="143"):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("forced")
def test_a_run_that_hangs_is_left_behind(clock: StoppedClock) -> None:
    with Interrupts(clock) as noted:
        signal.raise_signal(signal.SIGINT)
        clock.time_s = FORCE_S + 0.1
        with pytest.raises(Forced, match="130"):
            noted.obey(Recorder())


@pytest.mark.usefixtures("forced")
def test_time_runs_from_the_first_signal(clock: StoppedClock) -> None:
    with Interrupts(clock) as noted:
        signal.raise_signal(signal.SIGINT)
        clock.time_s = FORCE_S + 0.1
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Forced, match="130"):
            noted.obey(Recorder())


def test_forcing_says_so_and_ends_even_with_threads_that_hang() -> None:
    program = (
        "import threading; from pipeline.interrupts import force_exit;"
        "threading.Thread(target=threading.Event().wait).start(); force_exit(130)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert ended.returncode == 130
    assert ended.stderr == b"watchline: ended by force; output files may be cut short\n"


def test_sigterm_goes_through_the_clean_up() -> None:
    before, cleaned = signal.getsignal(signal.SIGTERM), []
    with pytest.raises(SystemExit) as end, terminable():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            cleaned.append(True)
    assert end.value.code == 143
    assert cleaned
    assert signal.getsignal(signal.SIGTERM) == before


class Interrupted:
    """Is interrupted while it is taken down, where Python ignores what is raised."""

    def __init__(self, number: signal.Signals) -> None:
        self._number = number

    def __del__(self) -> None:
        signal.raise_signal(self._number)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_that_was_lost_is_raised_again(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    before = signal.getsignal(number)
    with terminable(), reminding() as check:
        check()
        interrupted = Interrupted(number)
        del interrupted
        with pytest.raises(raised):
            check()
    assert signal.getsignal(number) is before


def test_a_signal_raises_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), reminding():
        signal.raise_signal(signal.SIGINT)
        pytest.fail("too late")


def test_signals_that_are_ignored_stay_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with reminding() as check:
            signal.raise_signal(signal.SIGINT)
            check()
    finally:
        signal.signal(signal.SIGINT, before)
