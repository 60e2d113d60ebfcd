"""Costs: medians of blocks, by a clock that the work itself moves."""

from __future__ import annotations

import pytest

from pipeline.bench import cost
from pipeline.bench.cost import Cost, mean, measure


class Machine:
    """Both of its clocks stand still unless somebody works."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_s = self.cpu_s = 0.0
        self.blocks = 0
        monkeypatch.setattr(cost.time, "monotonic", lambda: self.wall_s)
        monkeypatch.setattr(cost, "cpu_s", lambda: self.cpu_s)

    def work(self, *wall_s: float) -> int:
        """One block of 10 frames on two cores; the durations take turns."""
        taken_s = wall_s[self.blocks % len(wall_s)]
        self.blocks += 1
        self.wall_s += taken_s
        self.cpu_s += 2 * taken_s
        return 10


def test_a_cost_is_of_one_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    found = measure(lambda: machine.work(0.5), seconds=2.0)
    assert (found.cpu_ms, found.wall_ms) == (pytest.approx(100), pytest.approx(50))
    assert machine.blocks == 1 + 4


def test_the_first_block_and_a_slow_one_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    found = measure(lambda: machine.work(9.0, 0.5, 7.0, 0.5, 0.5), seconds=8.0)
    assert found.wall_ms == pytest.approx(50)


def test_slow_work_is_measured_thrice(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch)
    measure(lambda: machine.work(60.0), seconds=1.0)
    assert machine.blocks == 1 + cost.MIN_BLOCKS


def test_the_mean_is_of_both_figures() -> None:
    assert mean([Cost(1.0, 4.0), Cost(3.0, 6.0)]) == Cost(2.0, 5.0)
