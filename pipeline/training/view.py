"""Training in the terminal: a bar while an epoch goes on, a line when it is over."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from pipeline.clock import Clock
from pipeline.training.history import EpochRecord
from pipeline.training.train import StepReport


class TrainingView:
    """Shows reports of a `Trainer` while it is entered; where nobody looks, the lines only.

    Args:
        console: of the terminal, or not of one.
        clock: tells the speed and the time left.
        epochs: of the whole run.
        steps: of the part of the run that is to come.
    """

    def __init__(self, console: Console, clock: Clock, epochs: int, steps: int) -> None:
        self._console, self._clock = console, clock
        self._epochs, self._steps = epochs, steps
        self._done = self._pictures = 0
        self._started_s = clock.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, figures="")

    def show(self, report: StepReport | EpochRecord) -> None:
        """Take notice of a step or of the end of an epoch."""
        if isinstance(report, EpochRecord):
            self._console.print(epoch_line(report, self._epochs), soft_wrap=True, highlight=False)
            return
        self._done += 1
        self._pictures += report.pictures
        elapsed_s = self._clock.monotonic() - self._started_s
        left_s = elapsed_s / self._done * (self._steps - self._done)
        speed = self._pictures / max(elapsed_s, 1e-6)
        self._bar.update(
            self._task,
            description=f"epoch {report.epoch}/{self._epochs}",
            total=report.steps,
            completed=report.step,
            figures=f"loss {report.loss:.3f}, {speed:.0f} img/s, {duration(left_s)} left",
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.stop()


def epoch_line(record: EpochRecord, epochs: int) -> str:
    """An epoch's numbers on a line."""
    return (
        f"epoch {record.epoch}/{epochs}: loss {record.loss:.3f} "
        f"(box {record.box_loss:.3f}, class {record.class_loss:.3f}), "
        f"lr {record.learning_rate:.2g}, AP {_measure(record.ap)}, AP50 {_measure(record.ap50)}, "
        f"{duration(record.seconds)}"
    )


def duration(seconds: float) -> str:
    """A time span as people read it: 41 s, 3 min 5 s, 2 h 10 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _measure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
