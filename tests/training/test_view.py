from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from pipeline.clock import SystemClock
from pipeline.training.history import EpochRecord
from pipeline.training.train import StepReport
from pipeline.training.view import TrainingView, duration, epoch_line

RECORD = EpochRecord(2, 8, 1.5, 0.5, 1.0, 0.00123, 0.25, None, 61.4)
LINE = "epoch 2/5: loss 1.500 (box 0.500, class 1.000), lr 0.0012, AP 0.250, AP50 -, 1 min 1 s"


class SteppingClock(SystemClock):
    """Two seconds pass between one look and the next."""

    time_s = 0.0

    def monotonic(self) -> float:
        self.time_s += 2
        return self.time_s


def shown(terminal: bool) -> str:
    console = Console(file=StringIO(), force_terminal=terminal, width=200, color_system=None)
    with TrainingView(console, SteppingClock(), epochs=5, steps=20) as view:
        for step in (1, 2):
            view.show(StepReport(epoch=2, step=step, steps=4, pictures=8, loss=1.23456))
        view.show(RECORD)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_where_nobody_looks_there_is_a_line_an_epoch() -> None:
    assert shown(terminal=False) == f"{LINE}\n"


def test_a_terminal_has_a_bar_and_the_lines_above_it() -> None:
    text = shown(terminal=True)
    assert LINE in text
    # Two of 20 steps took 4 seconds.
    assert "epoch 2/5" in text and "2/4 loss 1.235, 4 img/s, 36 s left" in text


def test_a_line_has_all_numbers_of_an_epoch() -> None:
    assert epoch_line(RECORD, 5) == LINE


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (3599, "59 min 59 s"), (7810, "2 h 10 min")],
)
def test_spans_of_time(seconds: float, text: str) -> None:
    assert duration(seconds) == text
